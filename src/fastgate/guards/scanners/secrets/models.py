"""Key formats of model providers, inference hosts and what stands around them. One a line: name, pattern."""

MODELS = r"""
anthropic-api-key                 sk-ant-api[0-9]{2}-[A-Za-z0-9_-]{93}AA
anthropic-admin-key               sk-ant-admin[0-9]{2}-[A-Za-z0-9_-]{93}AA
anthropic-oauth-token             sk-ant-oat[0-9]{2}-[A-Za-z0-9_-]{80,120}
anthropic-refresh-token           sk-ant-ort[0-9]{2}-[A-Za-z0-9_-]{80,120}
openai-project-key                sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{58,74}T3BlbkFJ[A-Za-z0-9_-]{58,74}
openai-api-key                    sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}
openai-session                    sess-[A-Za-z0-9]{40}
openrouter-key                    sk-or-v1-[0-9a-f]{64}
deepseek-key                      sk-[0-9a-f]{32}
litellm-style-key                 sk-[A-Za-z0-9_-]{22}
stability-key                     sk-[A-Za-z0-9]{48}
huggingface-token                 hf_[A-Za-z0-9]{34}
huggingface-org-token             api_org_[A-Za-z0-9]{34}
replicate-token                   r8_[A-Za-z0-9]{37}
groq-key                          gsk_[A-Za-z0-9]{52}
perplexity-key                    pplx-[A-Za-z0-9]{48}
xai-key                           xai-[A-Za-z0-9]{80}
fireworks-key                     fw_[A-Za-z0-9]{22,24}
together-key                      tgp_v1_[A-Za-z0-9_-]{43}
nvidia-key                        nvapi-[A-Za-z0-9_-]{64}
cerebras-key                      csk-[a-z0-9]{48}
jina-key                          jina_[A-Za-z0-9_-]{56,64}
firecrawl-key                     fc-[0-9a-f]{32}
tavily-key                        tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}
pinecone-key                      pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{60,70}
langsmith-key                     lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}
langfuse-secret                   sk-lf-<uuid>
elevenlabs-key                    sk_[0-9a-f]{48}
e2b-key                           e2b_[0-9a-f]{40}
modal-token                       a[ks]-[A-Za-z0-9]{22}
runpod-key                        rpa_[A-Z0-9]{40,48}
friendli-token                    flp_[A-Za-z0-9]{40,60}
wandb-key                         wandb_v1_[A-Za-z0-9_]{60,90}
voyage-key                        pa-[A-Za-z0-9_-]{43}
"""
