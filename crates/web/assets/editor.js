// The host page of an office server: makes the frame, posts the token into it, and talks with it.
//
// Messages are JSON texts {MessageId, SendTime, Values}, sent both ways by postMessage. They are taken only from the frame's
// own window and the office server's origin, and sent to that origin only. Unknown ones are ignored.
// (WOPI documents: "Integrating with PostMessage"; Collabora and ONLYOFFICE have more of them.)

const host = document.getElementById("host");
const { origin, originSuffix, family } = host.dataset;
const form = document.getElementById("open");
const loading = document.getElementById("loading");
const failed = document.getElementById("failed");
const bar = document.getElementById("bar");

// How long the office server may say nothing before the person is asked what to do.
const SILENCE_MAX_MS = 30_000;
// How long before a token runs out a fresh one is fetched. Collabora warns 15 minutes before.
const FRESH_TOKEN_BEFORE_MS = 20 * 60_000;
// The longest span that a timer of browsers can wait.
const TIMER_MAX_MS = 2 ** 31 - 1;

const opened = Date.now();
let answered = false;

// ── the frame ──

// Made by script: a frame that stands in the page is loaded again by some browsers on the way back, and finds the file locked.
const frame = document.createElement("iframe");
frame.name = frame.id = "client";
frame.title = document.title;
frame.setAttribute("allowfullscreen", "true");
frame.setAttribute("allow", ["clipboard-read", "clipboard-write", "autoplay", "camera", "microphone", "display-capture"]
  .map((what) => `${what} ${origin}`).join("; "));
frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-popups allow-top-navigation "
  + "allow-popups-to-escape-sandbox allow-downloads allow-modals");
document.getElementById("holder").append(frame);

const dark = matchMedia("(prefers-color-scheme: dark)").matches;
if (dark) form.action = host.dataset.darkAction;
const defaults = form.elements.ui_defaults;
if (defaults) {
  defaults.disabled = false;
  defaults.value = `UITheme=${dark ? "dark" : "light"}`;
}
// The listener is there before anything can be said.
addEventListener("message", hear);
frame.addEventListener("load", ready);
form.submit();
const silence = setTimeout(() => { if (!answered) fail(""); }, SILENCE_MAX_MS);

// Office sends people back to us with what it has to know about the session before; its own address is tidied afterwards.
const here = new URL(location.href);
const before = here.href;
for (const name of ["wdPreviousSession", "wdPreviousCorrelation"]) here.searchParams.delete(name);
if (here.href !== before) history.replaceState(history.state, "", here);

// ── talking ──

function tell(id, values = {}) {
  const text = JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values });
  frame.contentWindow?.postMessage(text, speaker);
}

// Whom we speak to: the origin that the frame has answered from.
let speaker = origin;

function mayBe(other) {
  if (other === origin) return true;
  return originSuffix !== "" && other.startsWith("https://") && other.endsWith(originSuffix);
}

function ready() {
  tell("Host_PostmessageReady");
}

function hear(event) {
  if (event.source !== frame.contentWindow || !mayBe(event.origin)) return;
  let message = event.data;
  if (typeof message === "string") {
    try {
      message = JSON.parse(message);
    } catch {
      return;
    }
  }
  if (message === null || typeof message !== "object" || typeof message.MessageId !== "string") return;
  speaker = event.origin;
  const values = message.Values !== null && typeof message.Values === "object" ? message.Values : {};
  if (!answered) {
    answered = true;
    clearTimeout(silence);
  }
  if (Object.hasOwn(heard, message.MessageId)) heard[message.MessageId](values);
}

const text = (value) => (typeof value === "string" ? value : "");

const heard = {
  App_LoadingStatus({ Status }) {
    if (Status === "Failed") return fail("");
    loading.hidden = true;
    failed.hidden = true;
    // Collabora says this several times, and wants the answer after each that it understands.
    ready();
    tell("Host_PerfTiming", { Click: 0, Iframe: opened, HostFrameFetchStart: Math.round(performance.timeOrigin), RedirectCount: 0 });
  },
  Action_Load_Resp({ success, errorMsg }) {
    if (success === false) fail(text(errorMsg));
  },
  App_IsFrameTrusted() {
    tell("Host_IsFrameTrusted", { isTopFrameTrusted: true });
  },
  UI_Close: leave,
  close: leave,
  UI_Edit() {
    goTo("edit");
  },
  UI_Sharing: () => show("sharing"),
  UI_Share: () => show("sharing"),
  UI_FileVersions: () => show("history"),
  "rev-history": () => show("history"),
  File_Rename({ NewName }) {
    const name = text(NewName);
    if (name === "") return;
    // Office tells the name without its extension, others with it.
    const { extension } = host.dataset;
    const whole = name.toLowerCase().endsWith(extension.toLowerCase()) ? name : name + extension;
    document.title = frame.title = host.dataset.name = whole;
  },
  UI_SaveAs({ format }) {
    saveAs(text(format));
  },
  UI_InsertGraphic: pictures,
  Action_Save_Resp({ success, fileName, errorMsg }) {
    if (!savingCopy) return;
    savingCopy = false;
    note(success === false ? text(errorMsg) || host.dataset.sayNotSaved : `${host.dataset.saySaved} ${text(fileName)}`);
  },
  Session_Closed() {
    note(host.dataset.sayEnded, true);
  },
};

function leave() {
  location.assign(host.dataset.close);
}

function goTo(mode) {
  location.assign(`${host.dataset.open}/${mode}`);
}

// ── what the person sees of us ──

function fail(reason) {
  clearTimeout(silence);
  failed.querySelector("[data-reason]").textContent = reason;
  loading.hidden = true;
  failed.hidden = false;
  failed.querySelector("button").focus();
}

function note(what, reload = false) {
  bar.querySelector("span").textContent = what;
  bar.querySelector("[data-reload]").hidden = !reload;
  bar.hidden = false;
}

for (const button of document.querySelectorAll("[data-reload]")) {
  button.addEventListener("click", () => location.reload());
}
for (const button of document.querySelectorAll("[data-dismiss]")) {
  button.addEventListener("click", () => {
    failed.hidden = true;
    bar.hidden = true;
    frame.focus();
  });
}

function show(id) {
  const dialog = document.getElementById(id);
  if (dialog.open) return dialog;
  // While something of ours is in front, the editor must not take the keyboard back.
  tell("Blur_Focus");
  dialog.returnValue = "";
  dialog.addEventListener("close", () => tell("Grab_Focus"), { once: true });
  dialog.showModal();
  return dialog;
}

let savingCopy = false;

function saveAs(format) {
  const { name, extension } = host.dataset;
  const stem = extension !== "" && name.endsWith(extension) ? name.slice(0, -extension.length) : name;
  const wanted = /^[a-z0-9]{1,10}$/i.test(format) ? `.${format.toLowerCase()}` : extension;
  const dialog = show("save-as");
  const field = dialog.querySelector("input");
  field.value = stem + wanted;
  field.setSelectionRange(0, stem.length);
  dialog.addEventListener("close", () => {
    const chosen = field.value.trim();
    if (dialog.returnValue !== "save" || chosen === "") return;
    savingCopy = true;
    tell("Action_SaveAs", { Filename: chosen, Notify: true });
  }, { once: true });
}

async function pictures() {
  const dialog = show("pictures");
  const list = dialog.querySelector(".pictures");
  const none = dialog.querySelector("[data-none]");
  list.replaceChildren();
  const answer = await ask("pictures");
  none.hidden = answer !== null && answer.length > 0;
  for (const picture of answer ?? []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "picture";
    const image = document.createElement("img");
    image.src = `${host.dataset.show}${encodeURIComponent(picture.id)}/${encodeURIComponent(picture.name)}`;
    image.alt = "";
    image.loading = "lazy";
    const name = document.createElement("bdi");
    name.textContent = picture.name;
    button.append(image, name);
    button.addEventListener("click", async () => {
      const address = await ask("pictures", { picture: picture.id });
      dialog.close();
      if (address) tell("Action_InsertGraphic", { url: address.url });
    });
    list.append(button);
  }
}

// ── the session ──

async function ask(what, fields) {
  try {
    const request = fields ? { method: "POST", body: new URLSearchParams(fields) } : {};
    const answer = await fetch(`${host.dataset.open}/${what}`, { ...request, redirect: "error" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function freshTokenBefore(ttl) {
  const span = ttl - FRESH_TOKEN_BEFORE_MS - Date.now();
  setTimeout(freshToken, Math.min(Math.max(span, 0), TIMER_MAX_MS), ttl);
}

async function freshToken(ttl) {
  if (ttl - FRESH_TOKEN_BEFORE_MS - Date.now() > 1000) return freshTokenBefore(ttl);
  // Only Collabora takes another token into a running session; others have to be loaded again.
  const answer = family === "collabora" ? await ask("token", { client: host.dataset.client, edit: host.dataset.edit }) : null;
  if (answer && answer.access_token_ttl > ttl) {
    tell("Reset_Access_Token", { token: answer.access_token });
    freshTokenBefore(answer.access_token_ttl);
  } else {
    note(host.dataset.saySession, true);
  }
}

freshTokenBefore(Number(form.elements.access_token_ttl.value));
// Nobody who looks at the page later finds the token in it.
form.elements.access_token.value = "";
