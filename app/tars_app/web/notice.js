// SPDX-License-Identifier: GPL-3.0-or-later
// Show messages with their next steps above the question box.

import { element } from "./text.js";

// messages: pairs of what is wrong and the next step. Replaced only when they change, so that a screen reader does not
// read the same notice repeatedly.
export function announce(notice, messages) {
  const text = messages.flat().join("\n");
  if ((notice.dataset.text ?? "") === text) return;
  notice.dataset.text = text;
  notice.replaceChildren(
    ...messages.map(([what, next]) => element("p", "", element("strong", "", what), " ", next)),
  );
}
