// SPDX-License-Identifier: GPL-3.0-or-later
// Responses can arrive in another order than their requests were sent.

// Return a function to call at each request. It returns one to call with the response: false where a later request of the
// same kind was answered before.
export function inOrder() {
  let sent = 0;
  let answered = 0;
  return () => {
    const turn = ++sent;
    return () => {
      answered = Math.max(answered, turn);
      return turn === answered;
    };
  };
}
