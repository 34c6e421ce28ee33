// Follows the journal on the page of postbacks. Without this script the page has a link to refresh.
"use strict";
(() => {
  const ROWS_MAX = 500;
  const button = document.getElementById("follow");
  const status = document.getElementById("tail-status");
  const rows = document.getElementById("records");
  if (!button || !status || !rows || !window.EventSource) return;
  let source = null;
  let count = 0;

  const cell = (row, text, link) => {
    const made = row.insertCell();
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = text;
      made.append(anchor);
    } else {
      made.textContent = text;
    }
    return made;
  };

  const show = (record) => {
    const empty = rows.querySelector("td.empty");
    if (empty) empty.parentElement.remove();
    const row = rows.insertRow(0);
    row.className = "new";
    cell(row, record.time, "/postbacks/" + record.id);
    cell(row, record.action);
    cell(row, record.site);
    cell(row, record.member, record.member_link).append(" " + record.username);
    const reply = cell(row, "");
    reply.className = "wide";
    const word = document.createElement("span");
    word.className = "tag " + record.class;
    word.textContent = record.word;
    reply.append(word, " " + record.sentence);
    cell(row, record.source);
    while (rows.rows.length > ROWS_MAX) rows.deleteRow(-1);
    count += 1;
    status.textContent = "Following live: " + count + " new.";
  };

  const stop = (why) => {
    if (source) source.close();
    source = null;
    button.textContent = "Follow live";
    button.setAttribute("aria-pressed", "false");
    status.textContent = why;
  };

  const start = () => {
    source = new EventSource(button.dataset.tail);
    button.textContent = "Stop following";
    button.setAttribute("aria-pressed", "true");
    status.textContent = "Following live.";
    source.addEventListener("record", (event) => show(JSON.parse(event.data)));
    source.addEventListener("end", (event) => stop(event.data));
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) {
        stop("Eight pages follow the journal already, or you are logged out. Use Refresh, or try again later.");
      }
    });
  };

  button.hidden = false;
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => (source ? stop("Stopped.") : start()));
})();
