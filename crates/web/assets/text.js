// The text editor: an honest WOPI client in the browser. It asks CheckFileInfo, locks, reads, saves under its lock, refreshes
// the lock and lets it go, with a token for this one file in the Authorization header; cookies are not sent.
//
// What was typed is kept in this browser until it is saved, so neither a lost lock nor a dead server loses it.

const area = document.getElementById("text");
const status = document.getElementById("status");
const saveButton = document.getElementById("save");
const notices = document.getElementById("notices");
const data = area.dataset;
const say = (word) => data["say" + word];

// Locks live for 30 minutes.
const REFRESH_EVERY_MS = 8 * 60_000;
// A save comes by itself so long after the first change.
const AUTOSAVE_AFTER_MS = 20_000;
const DRAFT_AFTER_MS = 300;
// How often a held file is asked for, and a server that cannot be reached.
const AGAIN_AFTER_MS = 5_000;
const FRESH_TOKEN_BEFORE_MS = 20 * 60_000;

const draftKey = `lectern-draft ${data.file} ${data.user}`;
const lockKey = `lectern-lock ${data.file}`;

let token = data.token;
let tokenEnds = Number(data.ttl);
let lock = remembered(sessionStorage, lockKey) ?? `lectern-text ${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
let locked = false;
// What the file is: the version our text began from, and how its bytes were written.
let version = "";
let saved = "";
let lineEnd = "\n";
let mark = "";
let saving = false;
let autosave = 0;
let decided = true;

area.removeAttribute("data-token");

function remembered(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function remember(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

// ── WOPI ──

// Status 0: nobody answered.
async function wopi(path, override, headers = {}, body = undefined, more = {}) {
  if (tokenEnds - Date.now() < FRESH_TOKEN_BEFORE_MS) await freshToken();
  const request = () => fetch(data.src + path, {
    method: override ? "POST" : "GET",
    headers: { Authorization: `Bearer ${token}`, ...(override ? { "X-WOPI-Override": override } : {}), ...headers },
    body, credentials: "omit", cache: "no-store", redirect: "error", ...more,
  });
  try {
    let answer = await request();
    // The token may have ended with its session; whoever signed in again gets another one.
    if (answer.status === 401 && await freshToken()) answer = await request();
    return answer;
  } catch {
    return new Response(null, { status: 503, headers: { "X-Nobody": "1" } });
  }
}

const nobody = (answer) => answer.headers.has("X-Nobody") || answer.status >= 500;

async function freshToken() {
  try {
    const answer = await fetch(`${data.open}/token`, { method: "POST", body: new URLSearchParams({ edit: data.edit }), redirect: "error" });
    if (!answer.ok) return false;
    const fresh = await answer.json();
    token = fresh.access_token;
    tokenEnds = fresh.access_token_ttl;
    return true;
  } catch {
    return false;
  }
}

const takeLock = () => wopi("", "LOCK", { "X-WOPI-Lock": lock });

// ── opening ──

async function begin() {
  const info = await wopi("", "");
  if (!info.ok) return trouble(info, begin);
  const facts = await info.json();
  if (facts.Size > Number(data.bytesMax)) return notice("trouble", say("TooLarge"));
  let mayWrite = facts.UserCanWrite === true && data.edit === "1";
  let held = false;
  if (mayWrite) {
    const answer = await lockOrAdopt();
    if (answer.status === 409) held = true;
    else if (!answer.ok) return trouble(answer, begin);
    locked = answer.ok;
  }
  const bytes = await wopi("/contents", "");
  if (!bytes.ok) return trouble(bytes, begin);
  version = bytes.headers.get("X-WOPI-ItemVersion") ?? facts.Version;
  const readable = decode(new Uint8Array(await bytes.arrayBuffer()));
  notices.replaceChildren();
  if (!readable) {
    notice("note", say("NotText"));
    mayWrite = false;
    if (locked) letGo();
  }
  area.value = saved;
  area.setSelectionRange(0, 0);
  if (held) return waitForTurn();
  if (!mayWrite) return shown(say("ReadOnly"));
  editable();
  offerDraft();
}

// A tab that died leaves its lock behind. If the draft in this browser has its id, and no other tab answers for it, it is ours.
async function lockOrAdopt() {
  const first = await takeLock();
  if (first.status !== 409) return first;
  const draft = readDraft();
  if (!draft?.lock || draft.lock !== first.headers.get("X-WOPI-Lock") || await otherTabHas(draft.lock)) return first;
  lock = draft.lock;
  return takeLock();
}

const tabs = "BroadcastChannel" in window ? new BroadcastChannel("lectern-text") : null;
tabs?.addEventListener("message", ({ data: message }) => {
  if (message?.ask === lock && locked) tabs.postMessage({ mine: lock });
});

function otherTabHas(id) {
  if (!tabs) return Promise.resolve(true);
  return new Promise((resolve) => {
    const hear = ({ data: message }) => { if (message?.mine === id) done(true); };
    const done = (answer) => {
      tabs.removeEventListener("message", hear);
      resolve(answer);
    };
    tabs.addEventListener("message", hear);
    tabs.postMessage({ ask: id });
    setTimeout(done, 400, false);
  });
}

// Text as it is edited, or false if it is none that could be written back as it was.
function decode(bytes) {
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  let whole;
  let readable = true;
  try {
    whole = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    whole = new TextDecoder("windows-1252").decode(bytes);
    readable = false;
  }
  if (whole.includes("\0")) readable = false;
  mark = bom ? "\ufeff" : "";
  const pairs = whole.split("\r\n").length - 1;
  const alone = whole.split("\n").length - 1 - pairs;
  lineEnd = pairs > alone ? "\r\n" : "\n";
  // Mixed line ends become those that are most frequent.
  saved = whole.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  return readable;
}

const encoded = (text) => new TextEncoder().encode(mark + (lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd)));

function editable() {
  area.readOnly = false;
  saveButton.disabled = false;
  remember(sessionStorage, lockKey, lock);
  shown(say("Saved"));
  area.focus({ preventScroll: true });
}

async function waitForTurn() {
  area.readOnly = true;
  saveButton.disabled = true;
  shown(say("ReadOnly"));
  const line = notice("note", say("Held"));
  const describe = async () => {
    try {
      const holders = await (await fetch(`${data.open}/holders`, { redirect: "error" })).json();
      const names = [...new Set(holders.map((holder) => holder.name).filter(Boolean))].join(", ");
      if (names === "") return;
      const since = new Date(Math.min(...holders.map((holder) => holder.since)));
      const time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(since);
      line.querySelector("span").textContent = say("HeldBy").replace("NAMES", names).replace("TIME", time);
    } catch {
      // The line says already that somebody has it.
    }
  };
  await describe();
  const again = async () => {
    const answer = await wopi("", "GET_LOCK");
    if (answer.status === 404 || answer.status === 401) return trouble(answer, begin);
    if (answer.ok && answer.headers.get("X-WOPI-Lock") === "") {
      notices.replaceChildren();
      notice("note", say("Free"), [[say("Edit"), begin]]);
      return;
    }
    setTimeout(again, AGAIN_AFTER_MS);
  };
  setTimeout(again, AGAIN_AFTER_MS);
}

// ── drafts ──

function readDraft() {
  try {
    const draft = JSON.parse(remembered(localStorage, draftKey));
    return typeof draft?.text === "string" ? draft : null;
  } catch {
    return null;
  }
}

let draftTimer = 0;
let draftsFail = false;

function keepDraft() {
  draftTimer = 0;
  const draft = area.value === saved ? null : JSON.stringify({ text: area.value, version, lock, at: Date.now() });
  if (!remember(localStorage, draftKey, draft) && !draftsFail) {
    draftsFail = true;
    notice("trouble", say("NoDraft"));
  }
}

function offerDraft() {
  const draft = readDraft();
  if (!draft || draft.text === saved) return remember(localStorage, draftKey, null);
  if (draft.version === version) {
    area.value = draft.text;
    notice("note", say("Restored"), [[say("Close"), () => {}]]);
    return changed();
  }
  conflict(draft.text);
}

// ── saving ──

function changed() {
  if (!decided) return;
  const dirty = area.value !== saved;
  shown(dirty ? say("Unsaved") : say("Saved"));
  if (!draftTimer) draftTimer = setTimeout(keepDraft, DRAFT_AFTER_MS);
  if (dirty && !autosave) autosave = setTimeout(save, AUTOSAVE_AFTER_MS, true);
}

async function save(byItself = false) {
  clearTimeout(autosave);
  autosave = 0;
  if (saving || area.readOnly || !decided || area.value === saved) return;
  saving = true;
  shown(say("Saving"));
  const text = area.value;
  const answer = await wopi("/contents", "PUT", {
    "X-WOPI-Lock": lock,
    "Content-Type": "application/octet-stream",
    ...(byItself ? { "X-COOL-WOPI-IsAutosave": "true" } : {}),
  }, encoded(text));
  saving = false;
  if (answer.ok) {
    saved = text;
    version = answer.headers.get("X-WOPI-ItemVersion") ?? version;
    notices.replaceChildren();
    keepDraft();
    return changed();
  }
  keepDraft();
  if (answer.status === 409) return lostLock(answer);
  trouble(answer, save);
}

// The lock is not ours any more. If nobody has taken it and the file is what it was, nothing has happened.
async function lostLock(refusal) {
  locked = false;
  const holder = refusal.headers.get("X-WOPI-Lock") ?? "";
  if (holder !== "") {
    area.readOnly = true;
    saveButton.disabled = true;
    shown(say("ReadOnly"));
    notices.replaceChildren();
    notice("trouble", say("Lost"), [[say("Again"), begin], [say("Copy"), () => saveCopy(area.value)]]);
    return;
  }
  const taken = await takeLock();
  if (!taken.ok) return taken.status === 409 ? lostLock(taken) : trouble(taken, save);
  locked = true;
  const info = await wopi("", "");
  if (!info.ok) return trouble(info, save);
  const { Version } = await info.json();
  if (Version === version) return save();
  const mine = area.value;
  const bytes = await wopi("/contents", "");
  if (!bytes.ok) return trouble(bytes, save);
  version = bytes.headers.get("X-WOPI-ItemVersion") ?? Version;
  decode(new Uint8Array(await bytes.arrayBuffer()));
  conflict(mine);
}

// Two texts, and the person decides. Until then the draft stays as it is.
function conflict(mine) {
  decided = false;
  area.readOnly = true;
  area.value = mine;
  notices.replaceChildren();
  const decide = (act) => () => {
    decided = true;
    area.readOnly = false;
    notices.replaceChildren();
    act();
  };
  notice("trouble", say("Changed"), [
    [say("Mine"), decide(() => save())],
    [say("Copy"), () => saveCopy(mine, decide(theirs))],
    [say("Theirs"), decide(theirs)],
  ]);
}

function theirs() {
  area.value = saved;
  keepDraft();
  changed();
}

async function saveCopy(text, then = () => {}) {
  const name = document.title;
  const answer = await wopi("", "PUT_RELATIVE", {
    "X-WOPI-SuggestedTarget": utf7(name), "Content-Type": "application/octet-stream",
  }, encoded(text));
  if (!answer.ok) return trouble(answer, () => saveCopy(text, then));
  const { Name } = await answer.json();
  then();
  remember(localStorage, draftKey, null);
  notice("note", say("Copied").replace("NAME", Name), [[say("Close"), () => {}]]);
}

// Names travel in UTF-7 (RFC 2152): what is no letter, digit or one of a few signs, as base64 of UTF-16.
function utf7(text) {
  return text.replace(/[^A-Za-z0-9'(),\-./:? ]+/g, (run) => {
    if (run === "+") return "+-";
    const bytes = [...Array(run.length).keys()].flatMap((at) => [run.charCodeAt(at) >> 8, run.charCodeAt(at) & 255]);
    return `+${btoa(String.fromCharCode(...bytes)).replace(/=+$/, "")}-`;
  });
}

async function letGo() {
  locked = false;
  remember(sessionStorage, lockKey, null);
  await wopi("", "UNLOCK", { "X-WOPI-Lock": lock }, undefined, { keepalive: true });
}

setInterval(async () => {
  if (!locked) return;
  const answer = await wopi("", "REFRESH_LOCK", { "X-WOPI-Lock": lock });
  if (answer.status === 409 && locked) lostLock(answer);
}, REFRESH_EVERY_MS);

// ── what the person sees ──

function shown(text) {
  status.textContent = text;
}

function notice(kind, text, actions = []) {
  const line = document.createElement("p");
  line.className = kind;
  if (kind === "trouble") line.setAttribute("role", "alert");
  const words = document.createElement("span");
  words.textContent = text;
  line.append(words);
  for (const [label, act] of actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      line.remove();
      act();
    });
    line.append(button);
  }
  notices.append(line);
  return line;
}

function trouble(answer, again) {
  notices.replaceChildren();
  if (nobody(answer)) {
    notice("trouble", say("Offline"), [[say("Again"), again]]);
    // It goes on by itself as soon as somebody answers; the person may be faster.
    setTimeout(() => { if (notices.textContent.includes(say("Offline"))) again(); }, AGAIN_AFTER_MS);
  } else if (answer.status === 401) {
    const line = notice("trouble", say("SignedOut"), [[say("Again"), again]]);
    const link = document.createElement("a");
    link.href = data.signIn;
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = say("SignIn");
    line.querySelector("span").append(" ", link);
  } else {
    notice("trouble", answer.status === 404 ? say("Gone") : say("Refused"), [[say("Again"), again]]);
  }
}

area.addEventListener("input", changed);
saveButton.addEventListener("click", () => save());
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
    event.preventDefault();
    save();
  }
});
addEventListener("beforeunload", (event) => {
  if (area.value !== saved && !area.readOnly) event.preventDefault();
});
addEventListener("pagehide", () => {
  keepDraft();
  // With something unsaved the lock stays for a while: coming back finds everything as it was.
  if (locked && area.value === saved) letGo();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") save(true);
});

begin();
