"""Open the metrics only when something asks for them."""

from generator.errors import InputError
from generator.repository import Repository
from reconciler.measure import MetricsUnavailable
from reconciler.outlook import Query
from reconciler.ports import Connect


def asking(repository: Repository, environment: str, connect: Connect) -> tuple[Query, list[str]]:
    """Open the metrics lazily, so that a wrong address holds only what needs it.

    A person's bump is followed without metrics: it may be the one that takes a model back.

    Returns:
        The query, and a list that will hold why the metrics must not be opened.
    """
    opened: list[Query] = []
    closed: list[str] = []

    def ask(*words: object) -> object:
        try:
            if not opened:
                opened.append(connect(repository.environment(environment).prometheus))
        except InputError as error:
            closed.append(str(error).replace("\n", " | "))
            raise MetricsUnavailable("Prometheus", closed[0]) from None
        return opened[0](*words)  # type: ignore[arg-type]  # passed through as it came

    return ask, closed  # type: ignore[return-value]  # the same signature
