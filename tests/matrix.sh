#!/usr/bin/env bash
# tests/matrix.sh [PYTEST_ARGUMENT...]: runs the tests on each Python that is installed, with the newest and the lowest
# dependencies that pyproject.toml allows. PYTHONS="3.11 3.13" and RESOLUTIONS=lowest-direct choose some of them;
# REQUIRED=1 fails if a Python is missing. Needs uv. The environments stay in .matrix/ for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

pythons=${PYTHONS:-3.11 3.12 3.13 3.14}
resolutions=${RESOLUTIONS:-highest lowest-direct}
failed=()
for python in $pythons; do
    interpreter=$(uv python find --no-python-downloads "$python" 2>/dev/null \
        || compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$python.*/bin/python" | tail -1) || true
    if [[ -z $interpreter ]]; then
        echo "== Python $python is not installed"
        [[ -z ${REQUIRED:-} ]] || failed+=("$python missing")
        continue
    fi
    for resolution in $resolutions; do
        name="$python-$resolution" environment=".matrix/$python-$resolution"
        echo "== Python $python, $resolution"
        uv venv --quiet --seed --allow-existing --python "$interpreter" "$environment"
        uv pip compile --quiet --python "$environment" --resolution "$resolution" --no-header \
            pyproject.toml --all-extras -o "$environment/constraints.txt"
        uv pip install --quiet --python "$environment" -c "$environment/constraints.txt" --group dev --editable '.[azure]'
        "$environment/bin/python" -m pytest "$@" || failed+=("$name")
    done
done
if ((${#failed[@]})); then
    printf '== failed: %s\n' "${failed[@]}"
    exit 1
fi
