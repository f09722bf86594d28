// The browser side of the stand-in: buttons, and the conversation with the page around it.
//
// It takes messages only from the window around it and from the origin that CheckFileInfo names, and sends them only there.

const facts = JSON.parse(document.getElementById("facts").textContent);
const collabora = facts.family === "collabora";
const element = (id) => document.getElementById(id);
const heard = (window.heard = []);
window.facts = facts;
window.ready = false;
window.refused = 0;
let origin = "";

function say(state) {
  element("state").textContent = state;
}

async function operate(operation, text = "") {
  const answer = await fetch(`/session/${facts.session}/${operation}`, { method: "POST", body: text });
  return answer.json();
}

function tell(id, values = {}) {
  const common = { wdUserSession: facts.session, "ui-language": "1033" };
  const message = { MessageId: id, SendTime: Date.now(), Values: { ...values, ...common } };
  parent.postMessage(JSON.stringify(message), origin);
}

const hears = {
  Host_PostmessageReady() {
    window.ready = true;
  },
  // Collabora says the name of the copy as soon as it is there.
  Action_SaveAs: ({ Filename }) => tell("Action_Save_Resp", { success: true, fileName: Filename }),
  Reset_Access_Token: ({ token }) => operate("token", token),
};

addEventListener("message", (event) => {
  // Before CheckFileInfo has told whose page this is, nobody is trusted.
  if (origin === "") return;
  if (event.source !== parent || event.origin !== origin) {
    window.refused += 1;
    return;
  }
  const message = JSON.parse(event.data);
  heard.push(message);
  hears[message.MessageId]?.(message.Values);
});

function on(id, act) {
  element(id).addEventListener("click", act);
  element(id).disabled = false;
}

function press(id, operation, text, then) {
  on(id, async () => {
    say(`${operation} …`);
    const told = await operate(operation, text());
    say(`${operation} ${told.status}`);
    if (told.status === 200) then?.(told);
  });
}

async function begin() {
  if (facts.silent) return;
  const opened = await operate("open");
  if (opened.status !== 200) return say(`open ${opened.status}`);
  origin = opened.info.PostMessageOrigin;
  window.info = opened.info;
  element("text").value = opened.text;
  element("name").value = opened.info.BaseFileName;
  if (collabora) {
    tell("App_LoadingStatus", { Status: "Initialized" });
    tell("App_LoadingStatus", { Status: "Frame_Ready", Features: { VersionStates: true } });
    tell("App_LoadingStatus", { Status: "Document_Loaded", DocumentLoadedTime: Date.now() });
  } else {
    tell("App_LoadingStatus", { DocumentLoadedTime: Date.now() });
  }
  press("save", "save", () => element("text").value);
  press("refresh", "refresh", () => "");
  press("rename", "rename", () => element("name").value, ({ name }) => tell("File_Rename", { NewName: name }));
  press("close", "close", () => "", () => tell("UI_Close", collabora ? { EverModified: true } : {}));
  on("edit", () => tell("UI_Edit"));
  on("share", () => tell(collabora ? "UI_Share" : "UI_Sharing"));
  on("versions", () => tell("UI_FileVersions"));
  on("save-as", () => tell("UI_SaveAs", { format: "" }));
  on("picture", () => tell("UI_InsertGraphic"));
  say(opened.lock === undefined ? "reading" : `open, lock ${opened.lock}`);
}

begin();
