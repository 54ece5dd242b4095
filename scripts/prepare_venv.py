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


def main():
    """Bring .venv up to date for one extra; exit with a sentence that says what to do when that fails."""
    extra = sys.argv[1] if len(sys.argv) == 2 else ""
    if extra not in EXTRAS:
        sys.exit("usage: python3 scripts/prepare_venv.py " + "|".join(sorted(EXTRAS)))
    if sys.version_info < OLDEST:
        sys.exit(
            "Holdfast needs Python %d.%d or newer; %s is %s.\n"
            % (*OLDEST, sys.executable, sys.version.split()[0])
            + "Name a newer one, for example: make PYTHON=python3.12 "
            + extra.replace("dev", "test")
        )
    # A moved repository has a .venv whose scripts point at its old place.
    home = "%s\n%s\n%s\n" % (sys.version, os.path.realpath(sys.executable), ROOT)
    wanted = digest_of_requirements()
    fresh = stamp("python") != home
    if not fresh and any(stamp(name) == wanted for name in COVERED_BY[extra]):
        return
    what = " and its libraries" if extra == "demo" else ", its libraries and the tools of its checks"
    print("Installing Holdfast%s into .venv; this takes a minute or two, once ..." % what, flush=True)
    if fresh:
        make_venv()
        write_stamp("python", home)
    # setuptools first and held to its pin: with it in place, building the project downloads nothing more.
    pip("setuptools")
    pip("--no-build-isolation", "--editable", ".[%s]" % EXTRAS[extra])
    check_packages()
    write_stamp(extra, wanted)


def digest_of_requirements():
    """Return the digest of what decides the content of .venv: the pins, and the project without its tools' settings."""
    import tomllib  # not at the top: an old Python has none, and must live to say that it is too old

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)
    with open(os.path.join(ROOT, "constraints.txt"), "rb") as file:
        digest = hashlib.sha256(file.read())
    installed = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    digest.update(repr(installed).encode())
    return digest.hexdigest()


def stamp(name):
    """Return what .venv was last made for, or nothing."""
    try:
        with open(os.path.join(VENV, ".ready-" + name)) as file:
            return file.read()
    except OSError:
        return None


def write_stamp(name, content):
    """Remember what .venv was made for."""
    with open(os.path.join(VENV, ".ready-" + name), "w") as file:
        file.write(content)


def make_venv():
    """Create .venv from nothing."""
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "%s cannot make a virtual environment:\n%s\n"
            % (sys.executable, (made.stdout + made.stderr).strip())
            + "On Debian and Ubuntu `apt install python3-venv` brings what is missing."
        )


def pip(*arguments):
    """Install something, held to constraints.txt; silent unless it fails."""
    command = [
        PYTHON,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "-c",
        "constraints.txt",
    ]
    done = subprocess.run(command + list(arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(
            "The installation failed; pip says:\n%s\n" % (done.stdout + done.stderr).strip()
            + "Check that this machine reaches its package index, then run the same command again."
        )


def check_packages():
    """Fail when another distribution stands where one of this repository's import packages should be."""
    program = (
        "import importlib.util, os, sys\n"
        "for name in ('holdfast', 'workflows', 'activities', 'policies', 'workers'):\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    found = os.path.realpath(spec.origin) if spec and spec.origin else 'nowhere'\n"
        "    if not found.startswith(os.path.realpath(sys.argv[1]) + os.sep):\n"
        "        sys.exit('the package %r should be this repository\\'s, but comes from %s' % (name, found))\n"
    )
    done = subprocess.run(
        [PYTHON, "-I", "-c", program, ROOT], cwd=VENV, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit("The installation is not usable: " + done.stderr.strip())


if __name__ == "__main__":
    main()
