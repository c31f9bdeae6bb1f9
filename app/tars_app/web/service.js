// SPDX-License-Identifier: GPL-3.0-or-later
// The HTTP API of the application, with failures as a message and a next step.

export class Failure extends Error {
  constructor(message, nextStep) {
    super(message);
    this.nextStep = nextStep;
  }
}

const NOT_REACHED = () =>
  new Failure(
    "T.A.R.S. cannot be reached.",
    "Check that the desktop is on and that this device is in the home network, then try again.",
  );
const BROKEN_OFF = () => new Failure("The answer broke off before its end.", "Ask again.");

const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value)).toString();

// selection: folder, text, and states, of which there may be several.
function selected({ folder, text, states }, fields) {
  const parameters = new URLSearchParams(query({ folder, text, ...fields }));
  for (const state of states) parameters.append("state", state);
  return parameters.toString();
}

export const listDocuments = (asOf) => getJSON(`api/documents?${query({ as_of: asOf })}`);
export const readLibrary = (folder) => getJSON(`api/library?${query({ folder })}`);
export const listFiles = (selection, offset, limit) =>
  getJSON(`api/library/files?${selected(selection, { offset, limit })}`);
export const exportOf = (selection, format) => `api/library/export?${selected(selection, { format })}`;
export const retryFiles = (order) => postJSON("api/library/retry", order);
export const readUploads = () => getJSON("api/uploads");
export const readTimeline = () => getJSON("api/timeline");
export const readHistory = (document) => getJSON(`api/history?${query({ document })}`);
export const readChanges = (document, since, until) => getJSON(`api/diff?${query({ document, since, until })}`);
export const readTopic = (q, since) => getJSON(`api/topic?${query({ q, since })}`);
export const previewForgetting = (document) => getJSON(`api/forget?${query({ document })}`);
export const forget = (id) => postJSON("api/forget", { document: id, confirm: id });
export const readBackups = () => getJSON("api/backups");
export const openPassage = (chunkId, quote) => getJSON(`api/passages/${encodeURIComponent(chunkId)}?${query({ quote })}`);
export const openPage = (chunkId, quote) => getJSON(`api/passages/${encodeURIComponent(chunkId)}/page?${query({ quote })}`);
export const readOriginal = (versionId) => getJSON(`api/originals/${encodeURIComponent(versionId)}`);
export const fileOf = (versionId) => `api/originals/${encodeURIComponent(versionId)}/file`;
export const pictureOf = (versionId, page) => `api/originals/${encodeURIComponent(versionId)}/pages/${page}`;

// time: fields of the request, as as_of and interpret.
// Yields {name, data}: sources once, token many times, done at the end. Throws Failure, or AbortError when signal stops it.
export async function* ask(question, time, signal) {
  const response = await reach("api/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ question, ...time }),
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
export const takeBack = (id) => reach(`api/forgotten/${encodeURIComponent(id)}`, { method: "DELETE" });

async function getJSON(path) {
  return parse(await reach(path, { headers: { Accept: "application/json" } }));
}

async function postJSON(path, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return parse(await reach(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

// progress is called with the part that was sent, 0 to 1. fetch does not report it.
export async function uploadFile(file, progress) {
  const response = await new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/uploads?${query({ name: file.name })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded / total));
    request.addEventListener("load", () => resolve(new Response(request.responseText, { status: request.status })));
    request.addEventListener("error", () => reject(NOT_REACHED()));
    request.send(file);
  });
  if (!response.ok) throw await explain(response);
  return parse(response);
}

// The body may break off, or come from something else in between.
async function parse(response) {
  try {
    return await response.json();
  } catch {
    throw new Failure("The response of T.A.R.S. is incomplete or invalid.", "Try again in a moment.");
  }
}

async function reach(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw NOT_REACHED();
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
