"""Make .venv hold what a make target needs, and do nothing when it already does.

Usage: `python3 scripts/prepare_venv.py demo` or `dev`. The argument is an extra of pyproject.toml; `dev` holds
what `demo` holds and the tools of the checks. Runs before anything is installed, on whatever `python3` is: standard
library only, and no syntax that an old Python could not read far enough to say that it is too old.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
OLDEST = (3, 11)

EXTRAS = {"demo": "demo", "dev": "demo,dev"}
COVERED_BY = {"demo": ("demo", "dev"), "dev": ("dev",)}
ABOUT = {"demo": "a minute", "dev": "two minutes"}


def main():
    """Bring .venv up to date for one extra; exit with a sentence that says what to do when that fails."""
    extra = sys.argv[1] if len(sys.argv) == 2 else ""
    if extra not in EXTRAS:
        sys.exit("usage: python3 scripts/prepare_venv.py " + "|".join(sorted(EXTRAS)))
    if sys.version_info < OLDEST:
        sys.exit(
            "Holdfast needs Python %d.%d or newer, and %s is %s.\n" % (OLDEST + (sys.executable, sys.version.split()[0]))
            + "Name a newer one: make PYTHON=/path/to/python3.11 ..."
        )
    key = fingerprint()
    if any(stamp(name) == key for name in COVERED_BY[extra]) and os.path.exists(PYTHON):
        return
    if all(stamp(name) != key for name in EXTRAS):
        make_venv()
    print("Installing Holdfast and its libraries into .venv (about %s, the first time only) ..." % ABOUT[extra], flush=True)
    # setuptools first, from the pins, so that building the project downloads nothing that is not pinned.
    pip("setuptools")
    pip("--no-build-isolation", "--editable", ".[%s]" % EXTRAS[extra])
    check_packages()
    with open(stamp_path(extra), "w") as file:
        file.write(key)


def fingerprint():
    """Return what the content of .venv follows from: the project file, the pins and the Python."""
    digest = hashlib.sha256(("%s %s" % (sys.version, os.path.realpath(sys.executable))).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    # A moved repository has a .venv whose scripts point at its old place.
    digest.update(ROOT.encode())
    return digest.hexdigest()


def stamp_path(extra):
    """Return the file that says for which fingerprint .venv was last made."""
    return os.path.join(VENV, ".ready-" + extra)


def stamp(extra):
    """Return the fingerprint that .venv was made for, or nothing."""
    try:
        with open(stamp_path(extra)) as file:
            return file.read()
    except OSError:
        return None


def make_venv():
    """Create .venv again from nothing: an upgrade in place keeps what is no longer wanted."""
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "%s cannot make a virtual environment:\n%s\n" % (sys.executable, (made.stdout + made.stderr).strip())
            + "On Debian and Ubuntu `apt install python3-venv` brings what is missing."
        )


def pip(*arguments):
    """Install something, held to constraints.txt; silent unless it fails."""
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--constraint", "constraints.txt"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command + list(arguments), cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(
            "The installation failed; pip says:\n%s\n" % (done.stdout + done.stderr).strip()
            + "Check that this machine reaches its package index, then run the same command again."
        )


def check_packages():
    """Fail when another distribution stands where one of this repository's import packages should be."""
    program = (
        "import importlib, os, sys\n"
        "for name in ('holdfast', 'workflows', 'activities', 'policies', 'workers'):\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    found = os.path.realpath(spec.origin) if spec and spec.origin else 'nowhere'\n"
        "    if not found.startswith(os.path.realpath(sys.argv[1]) + os.sep):\n"
        "        sys.exit('the package %r is not this repository\\'s but comes from %s' % (name, found))\n"
    )
    done = subprocess.run([PYTHON, "-I", "-c", program, ROOT], cwd=VENV, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("The installation is not usable: " + done.stderr.strip())


if __name__ == "__main__":
    main()
