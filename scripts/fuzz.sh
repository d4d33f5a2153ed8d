#!/bin/sh
# The fuzz targets on a build of their own in build/fuzz, with the address and undefined-behaviour sanitizers: first the
# corpus and its mutations, then each target under atheris for SECONDS (60). With clang the compiled modules report
# coverage to it; with another compiler they are only watched.
set -eu

cd "$(dirname "$0")/.."
python=$(pwd)/.venv/bin/python
seconds=${SECONDS_EACH:-60}
tree=build/fuzz

rm -rf "$tree"
mkdir -p "$tree"
cp -r src tests setup.py pyproject.toml README.md scripts bench docs "$tree"/
find "$tree" \( -name '*.so' -o -name __pycache__ \) -prune -exec rm -rf {} +
cd "$tree"

export FASTGATE_SANITIZE=1
if command -v clang > /dev/null; then
    export FASTGATE_FUZZ=1 CC=clang LDSHARED='clang -shared'
    # atheris brings a runtime that holds libFuzzer too; its own sits beside it in site-packages.
    runtime=$("$python" -c 'import atheris; print(atheris.path() + "/asan_with_fuzzer.so")' 2> /dev/null ||
        clang -print-file-name="libclang_rt.asan-$(uname -m).so")
else
    echo 'make fuzz: clang is not installed (make peers); gcc watches, and the fuzzer sees no coverage'
    runtime=$(gcc -print-file-name=libasan.so)
fi
echo "Compiling with sanitizers"
"$python" setup.py -q build_ext --inplace > build.log 2>&1 || { cat build.log >&2; exit 1; }

# The interpreter itself leaks by design. This tree's package comes first, not the editable one of .venv.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
export PYTHONPATH="$(pwd)/src:$(pwd)" PYTHONMALLOC=malloc
LD_PRELOAD=$runtime "$python" -c 'import fastgate, sys; sys.exit("build/fuzz" not in fastgate.__file__)'
LD_PRELOAD=$runtime "$python" -m pytest -q -p no:cacheprovider tests/fuzz
exec env LD_PRELOAD="$runtime" "$python" -m tests.fuzz --seconds "$seconds" --new "$(pwd)/found" "$@"
