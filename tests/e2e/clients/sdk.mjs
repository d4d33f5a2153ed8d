// Calls through the TypeScript SDK: one JSON line a call with what it got, or how it failed.
// node sdk.mjs URL KEY JOBS, where JOBS is JSON: [["create"|"stream", prompt], …]; FASTGATE_SDK is the SDK's index.mjs.

const { default: Anthropic } = await import(process.env.FASTGATE_SDK);
const [baseURL, apiKey, jobs] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey });
const tool = { name: "Bash", description: "Run a command", input_schema: { type: "object", properties: {} } };

function summary(message) {
  const of = (type) => message.content.filter((block) => block.type === type);
  return {
    text: of("text").map((block) => block.text).join(""),
    tools: of("tool_use").map((block) => block.name),
    stop_reason: message.stop_reason,
    input_tokens: message.usage.input_tokens,
    output_tokens: message.usage.output_tokens,
  };
}

async function ask(form, prompt) {
  const messages = [{ role: "user", content: prompt }];
  const asked = { model: "claude-sonnet-5-5", max_tokens: 1024, messages, tools: [tool] };
  try {
    if (form === "create") return summary(await client.messages.create(asked));
    let pieces = 0;
    const stream = client.messages.stream(asked).on("text", () => { pieces += 1; });
    return { ...summary(await stream.finalMessage()), pieces };
  } catch (error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    const fault = error.error?.error ?? {};
    return { status: error.status, class: error.constructor.name, id: error.requestID, ...fault };
  }
}

for (const [form, prompt] of JSON.parse(jobs)) console.log(JSON.stringify(await ask(form, prompt)));
