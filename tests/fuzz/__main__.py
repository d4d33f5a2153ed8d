"""`python -m tests.fuzz TARGET… [--seconds N] [--new DIR]`: each target under atheris from the committed corpus, or,
where atheris is not installed, under the plain mutator. A finding ends the run with the input that made it.

`scripts/fuzz.sh` runs it on a build with coverage and sanitizers.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.mutate import WORDS, mutated

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.name for path in CORPUS.iterdir())
IN_PYTHON = ["fastgate.config", "fastgate.config_checks", "fastgate.directory", "fastgate.strict", "fastgate.tree"]
"""Parsers that are not compiled: atheris instruments them as they are imported."""

INPUT_BYTES_MAX = 4096
"""The slow twins are quadratic; what a longer input could find, a shorter one finds."""


def plainly(name: str, seconds: float) -> int:
    """Without atheris: mutations of the corpus. The seed is printed, and the input that fails."""
    from tests.fuzz.targets import TARGETS

    seed = random.randrange(1 << 32)
    style = random.Random(seed)
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(style.choice(seeds), style.choice(seeds), style)[:INPUT_BYTES_MAX]
        try:
            TARGETS[name](data)
        except BaseException:
            sys.stderr.write(f"{name}: seed {seed}, input {data!r}\n")
            raise
        count += 1
    print(f"{name}: {count} inputs, seed {seed}, no finding")
    return 0


def under_atheris(name: str, seconds: int, new: Path) -> int:
    """In this process; libFuzzer ends it by itself, with status 0 when the time is over."""
    import atheris

    with atheris.instrument_imports(include=IN_PYTHON):
        from tests.fuzz.targets import TARGETS
    new.mkdir(parents=True, exist_ok=True)
    words = new.parent / "words.dict"
    words.write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS if len(word) < 60)
    )
    options = [f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}", f"-dict={words}", "-print_final_stats=0"]
    options += [f"-artifact_prefix={new.parent}/{name}-", "-verbosity=0", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], str(new), str(CORPUS / name), *options], TARGETS[name])
    atheris.Fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all, or some of: {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--new", type=Path, default=None, help="where new inputs and findings go")
    chosen = parser.parse_args()
    wanted = chosen.targets or NAMES
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed for this Python: the plain mutator runs instead")
        return max(plainly(name, chosen.seconds) for name in wanted)
    new = chosen.new or Path(tempfile.mkdtemp(prefix="fastgate-fuzz-"))
    if len(wanted) == 1:
        return under_atheris(wanted[0], chosen.seconds, new / wanted[0])
    for name in wanted:  # libFuzzer ends its process, so each target gets one
        command = [sys.executable, "-m", "tests.fuzz", name, f"--seconds={chosen.seconds}", f"--new={new}"]
        new.mkdir(parents=True, exist_ok=True)
        log = new / f"{name}.log"
        with log.open("wb") as told:
            done = subprocess.run(command, check=False, stdout=told, stderr=told)
        if done.returncode:
            sys.stderr.write(log.read_text(errors="replace")[-6000:])
            print(f"{name}: a finding; the input is in {new}", file=sys.stderr)
            return done.returncode
        print(f"{name}: no finding in {chosen.seconds} s, {len(list((new / name).iterdir()))} inputs kept")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
