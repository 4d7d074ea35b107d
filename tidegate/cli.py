"""Wire the commands, map errors to exit codes, and load nothing that `--help` does not need."""

import errno
import os
import sys
import traceback
from importlib import import_module

import click

COMMANDS = {
    "init": "Make a fleet repository with its first commit.",
    "site": "Import, add or remove sites.",
    "model": "Add a model to the repository.",
    "release": "Freeze a model version as a release; nothing moves.",
    "promote": "Bring a model version into an environment.",
    "set-percent": "Move a rollout to a percentage of the sites.",
    "pause": "Stop a rollout from advancing; a breach still reverts.",
    "resume": "Let a paused rollout climb again.",
    "revert": "Take the canary back from every site.",
    "reject": "Put a release on the ledger of rejected ones.",
    "unreject": "Take a release off the ledger.",
    "expand": "Write the pointers that the rollout files ask for.",
    "update": "Bring what blueprints wrote up to date, and keep your edits.",
    "verify": "Check the whole repository, offline.",
    "check-pr": "Do with a pull request what CI does: expand, judge, say so.",
    "diff": "Show what the sites would get that they do not have now.",
    "plan": "Say what a rollout will do before it does.",
    "status": "Show how every rollout stands and what it waits for.",
    "page": "Draw every rollout as one web page.",
    "judge": "Judge a recording: one verdict a tick.",
    "audit": "Tell who moved what, when, and on which evidence; check it.",
    "replay": "Make every decision in Git again from its evidence.",
    "simulate": "Go through a scenario on virtual time: what would be decided?",
    "doctor": "Look for what would keep a rollout or its revert from working.",
    "watch-registry": "Open a pull request when an alias of MLflow moves.",
    "reconcile": "Advance or revert rollouts as the metrics allow.",
    "demo": "Show the whole job on this machine in a minute.",
}

# What a person can mend on this machine: permissions, space, and a path that cannot be.
_MACHINE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
)


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's words)
        """List the verbs in the order people meet them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's words)
        cmd_name: str,
    ) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"tidegate.commands.{name}"), name)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's words)
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the table of verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, naming the nearest one when it is not known."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 input, 2 usage, 6 lost the race, 70 bug, 130 interrupted; "
    "with --exit-code also 3 nothing changed, 4 held, 5 reverted.",
)
@click.version_option(package_name="tidegate")
def tidegate() -> None:
    """Move ML models over a fleet of sites by Git commits.

    A release is promoted, climbs a few percent of the sites at a time as their own metrics
    allow, and is taken back by a commit when they say so. Argo CD applies what Git says.

    \b
    Try it:   tidegate demo
    Start:    tidegate init fleet --environment edge-k3s --model defect-detector --sites sites.csv
    """


def main() -> None:
    """Run the command line and exit with a code that says whose turn it is."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command line.

    Returns:
        The exit code.
    """
    try:
        code = tidegate.main(args=args, prog_name="tidegate", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing is half written", err=True)
        return 130
    except BrokenPipeError:
        # Nobody reads any more; do not complain again when the interpreter flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 (the one place that maps errors to exit codes)
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    from generator.errors import ConflictError, ExitCode, InputError, RemoteError

    match error:
        case InputError():
            for problem in error.problems:
                click.echo(f"error: {problem}", err=True)
            return ExitCode.INPUT
        case RemoteError():
            click.echo(f"error: {error}; it is safe to try again", err=True)
            return ExitCode.INPUT
        case ConflictError():
            click.echo(f"error: {error}", err=True)
            return ExitCode.LOST_RACE
        case click.ClickException():
            error.show()
            return ExitCode.INPUT
        case OSError() if error.errno in _MACHINE:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"error: {where}{os.strerror(error.errno).lower()}", err=True)
            return ExitCode.INPUT
        case _:
            traceback.print_exception(error)
            click.echo("this is a bug in tidegate; please report it with the lines above", err=True)
            return ExitCode.BUG


if __name__ == "__main__":
    main()
