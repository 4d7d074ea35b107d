"""The step of CI that fetches Debian's engines: only there, nothing started, never in the way."""

import shutil
import subprocess
from pathlib import Path

import pytest

STEP = Path(__file__).resolve().parents[2] / ".ci" / "engines"
TOOLS = ("sh", "cat", "chmod", "cp", "date", "dirname", "mktemp", "mv", "rm", "sed", "tail")
APT = """\
#!/bin/sh
echo "$*" >>"$SEEN"
cat "$TIDEGATE_POLICY_RC" >>"$SEEN"
[ -z "$FAILS" ] || { echo "W: first"; echo "E: $FAILS"; exit 100; }
"""


class Machine:
    """A machine with a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.policy, self.seen = folder / "bin", folder / "policy-rc.d", folder / "seen"
        self.bin.mkdir()
        for name in (*TOOLS, "timeout"):
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.put("id", "#!/bin/sh\necho 0\n")
        self.put("apt-get", APT)

    def put(self, name: str, text: str) -> None:
        """Give it a program."""
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, ci: str = "true", fails: str = "") -> str:
        """Run the step, which never fails, and give what it says."""
        env = {"PATH": str(self.bin), "CI": ci, "SEEN": str(self.seen), "FAILS": fails}
        env["TIDEGATE_POLICY_RC"] = str(self.policy)
        done = subprocess.run([str(STEP)], env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_missing_is_installed_and_nothing_may_start_meanwhile(machine: Machine) -> None:
    said = machine.run()
    assert said == "engines: installed prometheus redis-server from Debian, started nothing\n"
    words, *policy = machine.seen.read_text().splitlines()
    assert words.endswith(" update")
    assert policy[:2] == ["#!/bin/sh", "exit 101"]
    assert policy[2].endswith(" install --no-install-recommends prometheus redis-server")
    assert not machine.policy.exists()


def test_the_policy_of_the_machine_stands_again_afterwards(machine: Machine) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 104\n")
    machine.policy.chmod(0o700)
    for fails in ("", "no network"):
        machine.run(fails=fails)
        assert machine.policy.read_text() == "#!/bin/sh\nexit 104\n"
        assert machine.policy.stat().st_mode & 0o777 == 0o700


def test_a_mirror_out_of_reach_is_told_and_hinders_nothing(machine: Machine) -> None:
    said = machine.run(fails="Could not connect to mirror.example")
    assert said == (
        "engines: going on without prometheus redis-server (Could not connect to mirror.example)\n"
    )
    assert not machine.policy.exists()


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    for name in ("prometheus", "promtool"):
        machine.put(name, "#!/bin/sh\n")
    assert "installed redis-server from" in machine.run()
    machine.put("redis-server", "#!/bin/sh\n")
    machine.seen.unlink()
    assert (machine.run(), machine.seen.exists()) == ("", False)


@pytest.mark.parametrize(
    ("ci", "user", "without", "why"),
    [
        ("", "0", "", "not a CI machine"),
        ("false", "0", "", "not a CI machine"),
        ("true", "1000", "", "not root"),
        ("true", "0", "apt-get", "no apt-get"),
        ("true", "0", "timeout", "no timeout"),
    ],
)
def test_other_machines_are_never_touched(
    machine: Machine, ci: str, user: str, without: str, why: str
) -> None:
    machine.put("id", f"#!/bin/sh\necho {user}\n")
    if without:
        (machine.bin / without).unlink()
    said = machine.run(ci)
    assert said == f"engines: going on without prometheus redis-server ({why})\n"
    assert (machine.seen.exists(), machine.policy.exists()) == (False, False)
