// SPDX-License-Identifier: GPL-3.0-or-later
// The HTTP API of the application, with failures as a message and a next step.

export class Failure extends Error {
  constructor(message, nextStep) {
    super(message);
    this.nextStep = nextStep;
  }
}

const BROKEN_OFF = () => new Failure("The answer broke off before its end.", "Ask again.");

export const listDocuments = () => getJSON("api/documents");
export const readBackups = () => getJSON("api/backups");
export const openPassage = (chunkId) => getJSON(`api/passages/${encodeURIComponent(chunkId)}`);

// Yields {name, data}: sources once, token many times, done at the end. Throws Failure, or AbortError when signal stops it.
export async function* ask(question, signal) {
  const response = await reach("api/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ question }),
    signal,
  });
  try {
    for await (const event of readEvents(response.body)) {
      if (event.name === "error") throw new Failure(event.data.message, event.data.next_step);
      yield event;
      if (event.name === "done") return;
    }
  } catch (error) {
    throw error instanceof TypeError || error instanceof SyntaxError ? BROKEN_OFF() : error;
  }
  throw BROKEN_OFF();
}

async function getJSON(path) {
  return (await reach(path, { headers: { Accept: "application/json" } })).json();
}

async function reach(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(
      "T.A.R.S. cannot be reached.",
      "Check that the desktop is on and that this device is in the home network, then try again.",
    );
  }
  if (!response.ok) throw await explain(response);
  return response;
}

async function explain(response) {
  const body = await response.json().catch(() => ({}));
  if (body.message) return new Failure(body.message, body.next_step ?? "");
  if (typeof body.detail === "string") return new Failure(body.detail, "");
  const first = Array.isArray(body.detail) ? body.detail[0]?.msg : undefined;
  return new Failure(first ?? `The service answered with status ${response.status}.`, "Try again in a moment.");
}

// Server-sent events as the HTML standard defines them: blocks of lines ended by a blank one, comments begin with a colon.
async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r\n\r\n|\n\n|\r\r/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
