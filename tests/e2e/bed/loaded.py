"""What the process that commands are forked from loads, see `command`."""

from importlib import import_module

for name in (
    "kubernetes.client",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.tracking",
    *(
        f"tidegate.commands.{verb}"
        for verb in ("doctor", "init", "promote", "reconcile", "set_percent", "status", "verify")
    ),
):
    import_module(name)
