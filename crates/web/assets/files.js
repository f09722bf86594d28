// Uploads with progress, by dropping files or choosing them; and moving through the list with the arrow keys.
// Without this script the form of the page uploads, too.

const zone = document.getElementById("dropzone");
if (zone) uploads(zone);
arrows();

function uploads(zone) {
  const say = (word) => zone.dataset["say" + word];
  const panel = document.getElementById("transfers");
  const list = panel.querySelector("ul");
  const reload = panel.querySelector("[data-reload]");
  const queue = [];
  let running = 0;
  const RUNNING_MAX = 2;

  reload.addEventListener("click", () => location.assign(location.pathname));
  addEventListener("beforeunload", (event) => {
    if (running > 0 || queue.length > 0) event.preventDefault();
  });

  const add = (file) => {
    const row = document.createElement("li");
    const main = document.createElement("div");
    main.className = "row-main";
    const name = document.createElement("bdi");
    name.textContent = file.name;
    const state = document.createElement("div");
    state.className = "muted small";
    state.textContent = say("Waiting");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    main.append(name, state, bar);
    const actions = document.createElement("div");
    actions.className = "actions";
    row.append(main, actions);
    list.append(row);
    panel.hidden = false;
    start({ file, state, bar, actions, taken: "refuse" });
  };

  const start = (transfer) => {
    queue.push(transfer);
    next();
  };

  const button = (transfer, text, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = text;
    button.addEventListener("click", () => {
      transfer.actions.replaceChildren();
      act();
    });
    transfer.actions.append(button);
  };

  const next = () => {
    while (running < RUNNING_MAX && queue.length > 0) send(queue.shift());
  };

  const send = (transfer) => {
    running += 1;
    const { file, state, bar, actions } = transfer;
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ name: file.name, taken: transfer.taken });
    request.open("PUT", `${zone.dataset.to}?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable || event.total === 0) return;
      bar.value = event.loaded / event.total;
      state.textContent = percent.format(bar.value);
    });
    actions.replaceChildren();
    button(transfer, say("Cancel"), () => request.abort());
    const finish = (text, buttons) => {
      running -= 1;
      actions.replaceChildren();
      state.textContent = text;
      for (const [label, act] of buttons) button(transfer, label, act);
      next();
      if (running === 0 && queue.length === 0 && list.querySelector("[data-done]")) {
        reload.hidden = false;
        // Nothing is left to be decided: show what is there now.
        if (![...list.children].some((row) => row.dataset.done === undefined)) location.assign(location.pathname);
      }
    };
    const again = (taken) => () => start(Object.assign(transfer, { taken }));
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // A page instead of JSON: something is wrong that the person should see as any other failure.
      }
      if (request.status === 200 && answer.id) {
        bar.value = 1;
        actions.parentElement.dataset.done = "";
        finish(answer.name === file.name ? say("Done") : `${say("Done")}: ${answer.name}`, []);
      } else if (answer.taken) {
        finish(answer.trouble, [[say("Version"), again("version")], [say("Both"), again("both")]]);
      } else {
        finish(answer.trouble ?? say("Failed"), [[say("Again"), again(transfer.taken)]]);
      }
    });
    for (const ended of ["error", "abort", "timeout"]) {
      request.addEventListener(ended, () => finish(say("Failed"), [[say("Again"), again(transfer.taken)]]));
    }
    request.send(file);
  };

  // The button chooses files at once; the form behind it is for those without scripts.
  const choose = document.createElement("input");
  choose.type = "file";
  choose.multiple = true;
  choose.addEventListener("change", () => {
    for (const file of choose.files) add(file);
    choose.value = "";
  });
  for (const button of document.querySelectorAll("[data-upload-button]")) {
    button.removeAttribute("popovertarget");
    button.addEventListener("click", () => choose.click());
  }

  let depth = 0;
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    zone.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth -= 1;
    zone.hidden = depth <= 0;
  });
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    zone.hidden = true;
    for (const item of event.dataTransfer.items) {
      if (item.kind !== "file") continue;
      const file = item.getAsFile();
      if (item.webkitGetAsEntry?.()?.isDirectory) {
        const row = document.createElement("li");
        row.textContent = say("Folder");
        list.append(row);
        panel.hidden = false;
      } else if (file) {
        add(file);
      }
    }
  });
}

function arrows() {
  const links = [...document.querySelectorAll("tr[data-row] a.entry")];
  document.addEventListener("keydown", (event) => {
    const at = links.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || !links[to]) return;
    event.preventDefault();
    links[to].focus();
  });
}
