import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Conversation, Overview, RecordPage, RecordView, Sentence, Settings } from "../src/ipc/bindings";
import { WINDOWS } from "../src/ipc/client";
import type { Demo } from "../src/ipc/demo";
import { open, violations } from "./window";

/** What was announced. */
const announced = () => screen.getAllByRole("status").map((one) => one.textContent?.replace("\u00a0", ""));
const confirm = async (user: { click: (on: Element) => Promise<void> }) =>
  user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));

describe("axe finds nothing", () => {
  for (const name of WINDOWS) {
    for (const language of ["en", "de"] as const) {
      it(`in ${name}, ${language}`, async () => {
        await open(name, "ordinary", language);
        await screen.findAllByRole("heading");
        expect(await violations()).toEqual([]);
      });
    }
  }
  it.each([
    ["feedback", "no-picture"],
    ["feedback", "own-words"],
    ["feedback", "left"],
    ["knows", "offline"],
    ["knows", "unauthorized"],
    ["feedback", "unauthorized"],
    ["knows", "not-enrolled"],
    ["knows", "empty"],
    ["first-run", "widened"],
    ["first-run", "acknowledged"],
    ["conversations", "empty"],
    ["conversations", "unanswered"],
    ["settings", "paused"],
    ["knows", "not-acknowledged"],
    ["first-run", "not-enrolled"],
  ] as const)("in %s on a day that is %s", async (name, which) => {
    await open(name, which);
    await screen.findAllByRole("heading");
    expect(await violations()).toEqual([]);
  });
  it("in each tab of what Snag knows, and in a dialog", async () => {
    const { user } = await open("knows");
    for (const tab of await screen.findAllByRole("tab")) {
      await user.click(tab);
      const said = document.querySelector("[data-said] .record-open");
      if (said) {
        await user.click(said);
        await screen.findByRole("img", { name: /picture as it leaves/ });
      }
      expect(await violations(), tab.textContent ?? "").toEqual([]);
    }
    await user.click(screen.getByRole("tab", { name: /Sent/ }));
    await user.click(await screen.findByRole("button", { name: /Ask the server to forget/ }));
    await screen.findByRole("dialog");
    expect(await violations()).toEqual([]);
    // It looks six times, which takes a slow machine its time.
  }, 120_000);
});

describe("each window", () => {
  it.each(WINDOWS)("%s closes with Esc", async (name) => {
    const { user, demo } = await open(name);
    await screen.findAllByRole("heading");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(demo.closed()).toBe(true));
  });

  it.each(WINDOWS)("%s says what is the matter where Rust doesn't answer", async (name) => {
    await open(name, "ordinary", "en", (demo) => {
      for (const command of ["overview", "settings", "feedback_form", "first_run", "conversations", "knows_day"])
        demo.fail(command, { key: "problem.disk_full", values: {} });
    });
    expect(await screen.findByText(/disk is full/)).toBeTruthy();
  });
});

describe("settings that change elsewhere", () => {
  it.each(WINDOWS)("show in %s at once, without a click on it", async (name) => {
    const { demo } = await open(name);
    await screen.findAllByRole("heading");
    const words = { en: document.body.textContent, title: document.title };
    await act(() =>
      demo.transport.invoke("change_settings", { change: { language: "de", theme: "dark", shortcut: "Ctrl+Alt+J" } }),
    );
    await waitFor(() => expect(document.documentElement.lang).toBe("de"));
    expect(document.documentElement.dataset.mantineColorScheme).toBe("dark");
    expect(document.body.textContent).not.toBe(words.en);
    // The window's frame has this one.
    await waitFor(() => expect(document.title).not.toBe(words.title));
    if (name === "settings") expect(screen.getByText("Strg + Alt + J")).toBeTruthy();
  });

  it("are asked for anew in the language of the person where Rust says them", async () => {
    const { demo, calls } = await open("first-run");
    await screen.findAllByRole("heading");
    await act(() => demo.transport.invoke("change_settings", { change: { language: "de" } }));
    await waitFor(() => expect(calls("first_run")).toHaveLength(2));
  });
});

describe("first run", () => {
  it("starts nothing before it is acknowledged, with the version that was read", async () => {
    const { user, calls, demo } = await open("first-run");
    const start = await screen.findByRole("button", { name: "I understand, start" });
    expect(calls("acknowledge")).toEqual([]);
    await user.click(start);
    expect(calls("acknowledge")).toEqual([{ version: "3f1c" }]);
    await waitFor(() => expect(demo.closed()).toBe(true));
  });

  it("can't be acknowledged where there is no organisation yet", async () => {
    const { user, demo } = await open("first-run", "not-enrolled");
    expect(await screen.findByText(/Ask IT for an enrolment code/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "I understand, start" })).toBeNull();
    expect(screen.getByText("Your organisation, and nobody else")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Close" }));
    await waitFor(() => expect(demo.closed()).toBe(true));
  });

  it.each([
    [
      "en",
      [
        "Figures, even where one person alone stands behind them",
        "Deleted after 1 day",
        "A title becomes readable as soon as one person has it, without numbers, dates and names.",
        "What is sent is kept for 1 day.",
      ],
    ],
    [
      "de",
      [
        "Zahlen, auch wenn nur eine Person dahintersteht",
        "Nach 1 Tag gelöscht",
        "Ein Titel wird lesbar, sobald eine Person ihn hat, ohne Zahlen, Daten und Namen.",
        "Was gesendet wird, wird 1 Tag aufgehoben.",
      ],
    ],
  ] as const)("counts to one, %s", async (language, lines) => {
    await open("first-run", "ordinary", language, ({ firstRun }) => {
      firstRun.policy.k = 1;
      firstRun.policy.kept_days = 1;
    });
    for (const line of lines) expect(await screen.findByText(line)).toBeTruthy();
    expect(document.body.textContent).not.toMatch(/\b1 (people|days|Personen|Tage)\b/);
  });

  it.each([
    ["en", 1, [], "Window titles, readable without their numbers, dates and names"],
    ["en", 1, [["Ledger", "Booking *"]], "Window titles, readable without their numbers, dates and names"],
    ["en", 5, [], "Window titles as codes until at least 5 people share one"],
    ["en", 5, [["Ledger", "Booking *"]], "Window titles as codes until 5 people share one or a rule below allows it"],
    ["de", 1, [], "Fenstertitel, lesbar ohne ihre Zahlen, Daten und Namen"],
    ["de", 7, [], "Fenstertitel als Code, bis mindestens 7 Personen einen teilen"],
    [
      "de",
      7,
      [["Ledger", "Booking *"]],
      "Fenstertitel als Code, bis 7 Personen einen teilen oder eine Regel unten es erlaubt",
    ],
  ] as ["en" | "de", number, [string, string][], string][])(
    "promises of titles what the rules hold, %s with %i people and rules %j",
    async (language, k, readable, line) => {
      await open("first-run", "ordinary", language, ({ firstRun }) => Object.assign(firstRun.policy, { k, readable }));
      const who = await screen.findByRole("region", { name: language === "en" ? "Who sees it" : "Wer es sieht" });
      expect(within(who).getByText(line)).toBeTruthy();
    },
  );

  it.each(["en", "de"] as const)("speaks to somebody who is their own organisation, %s", async (language) => {
    await open("first-run", "ordinary", language, ({ firstRun }) => {
      Object.assign(firstRun, { organisation: "This computer", contact: "you", server: "127.0.0.1:8470" });
    });
    const [lead, who, questions] = {
      en: [/runs for you alone/, "You alone, on 127.0.0.1:8470", /this Snag is your own/],
      de: [/läuft es für Sie allein/, "Sie allein, auf 127.0.0.1:8470", /Dieses Snag ist Ihr eigenes/],
    }[language] as [RegExp, string, RegExp];
    expect(await screen.findByText(lead)).toBeTruthy();
    expect(screen.getByText(who)).toBeTruthy();
    expect(screen.getByText(questions)).toBeTruthy();
    expect(document.body.textContent).not.toMatch(/This computer|\byou (at|will)\b/);
  });

  it("gives both answers the same weight", async () => {
    const { user, calls } = await open("first-run");
    const yes = await screen.findByRole("button", { name: "I understand, start" });
    const no = screen.getByRole("button", { name: "Not now" });
    expect(yes.className).toBe(no.className);
    expect(yes.dataset.variant).toBe(no.dataset.variant);
    await user.click(no);
    expect(calls("decline")).toHaveLength(1);
    expect(calls("acknowledge")).toEqual([]);
  });

  it("shows what widened, in words", async () => {
    await open("first-run", "widened");
    expect(await screen.findByText("These programs would no longer be left out: Health Portal.")).toBeTruthy();
    expect(screen.getByText("New: A title or name that many people share.")).toBeTruthy();
    expect(screen.getByRole("button", { name: "I understand, start" })).toBeTruthy();
  });

  it("says the example's own numbers in words and as JSON", async () => {
    await open("first-run");
    expect(await screen.findByText(/the program didn't seem to react: 4 clicks in 0\.8 s on a button/)).toBeTruthy();
    expect(screen.getByText(/"count": 4/)).toBeTruthy();
  });

  it("shows the policy, and each datum with why and how long", async () => {
    const { user } = await open("first-run");
    expect(await screen.findByText(/except: KeePassXC, \*bank\*, Health Portal/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /field by field/ }));
    const row = screen.getByText("Your own words").closest("tr");
    expect(within(row as HTMLElement).getByText("90 days")).toBeTruthy();
  });
});

describe("the state", () => {
  it("says what the server does as it is, everywhere", async () => {
    await open("knows", "unauthorized");
    expect(await screen.findByText(/the server refused this computer's token: ask IT/)).toBeTruthy();
    expect(screen.getByText(/What waits \(38\) is kept here/)).toBeTruthy();
    expect(screen.getByText(/38 waiting/)).toBeTruthy();
    expect(screen.queryByText(/can't be reached/)).toBeNull();
  });

  it("says it in the form, too", async () => {
    await open("feedback", "unauthorized", "de");
    expect(await screen.findByText(/Der Server hat das Token dieses Computers abgelehnt/)).toBeTruthy();
    expect(screen.queryByText(/nicht erreichbar/)).toBeNull();
  });

  // Before midnight tomorrow would be today by the time that it is looked at.
  beforeEach(() => void vi.setSystemTime(new Date(2026, 10, 20, 10, 42)));
  afterEach(() => void vi.useRealTimers());
  const paused = async (name: "knows" | "settings", language: "en" | "de", day: number) => {
    const { demo } = await open(name, "paused", language);
    const until = new Date();
    until.setDate(until.getDate() + day);
    until.setHours(day === 0 ? 23 : 6, 59, 59);
    const overview = await demo.transport.invoke<Overview>("overview");
    const capture = { state: "paused", until: until.toISOString() } as const;
    await act(() => demo.emit("overview", { ...overview, capture }));
  };
  it.each([
    ["knows", "en", /paused until tomorrow, \d\d:59/],
    ["knows", "de", /pausiert bis morgen, \d\d:59/],
    ["settings", "en", /Paused until tomorrow, \d\d:59.*\./],
    ["settings", "de", /Pausiert bis morgen, \d\d:59.*\./],
  ] as const)("says in %s, %s, that a pause ends tomorrow", async (name, language, words) => {
    await paused(name, language, 1);
    expect(await screen.findByText(words)).toBeTruthy();
  });
  it("says the time alone where the pause ends today", async () => {
    await paused("knows", "en", 0);
    expect(await screen.findByText(/paused until \d\d:59/)).toBeTruthy();
    expect(screen.queryByText(/tomorrow/)).toBeNull();
  });
});

describe("the numbers of what Snag knows", () => {
  const tab = (name: RegExp) => screen.getByRole("tab", { name }).textContent;

  it("count feedback, and say where it is", async () => {
    const { user, demo, calls } = await open("knows", "offline");
    const overview = await demo.transport.invoke<Overview>("overview");
    await act(() =>
      demo.emit("overview", { ...overview, waiting_records: 3, waiting_feedback: 2, refused_feedback: 1 }),
    );
    expect(screen.getByText(/5 waiting/)).toBeTruthy();
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave5");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText(/Feedback that waits: 2\./)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Open Conversations" }));
    expect(calls("open_window")).toEqual([{ name: "conversations" }]);
    await user.click(screen.getByRole("tab", { name: /Refused/ }));
    expect(await screen.findByText(/Feedback that the server refused: 1\./)).toBeTruthy();
  });

  it("don't say that nothing was sent or waits where feedback was and does", async () => {
    const { user, demo } = await open("knows", "empty");
    const overview = await demo.transport.invoke<Overview>("overview");
    await act(() => demo.emit("overview", { ...overview, waiting_feedback: 1, sent_feedback: 1 }));
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText(/Feedback that waits: 1\./)).toBeTruthy();
    expect(screen.queryByText(/Nothing waits/)).toBeNull();
    await user.click(screen.getByRole("tab", { name: /Sent/ }));
    expect(await screen.findByText(/Feedback that was sent as well: 1\./)).toBeTruthy();
    expect(screen.queryByText(/Nothing was sent/)).toBeNull();
  });

  it("follow what is noticed while the list is open", async () => {
    const { user, demo, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await screen.findByText(/37 records wait/);
    const asked = calls("knows_waiting").length;
    const overview = await demo.transport.invoke<Overview>("overview");
    demo.waiting(38);
    await act(() => demo.emit("overview", { ...overview, waiting_records: 38 }));
    expect(await screen.findByText(/38 records wait/)).toBeTruthy();
    expect(calls("knows_waiting")).toHaveLength(asked + 1);
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave39");
  });

  it("follow also where something is searched for, chosen and read on", async () => {
    const { user, demo } = await open("knows");
    const overview = await demo.transport.invoke<Overview>("overview");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await screen.findByRole("button", { name: "Show more (17 left)" }));
    await waitFor(() => expect(screen.getAllByRole("checkbox")).toHaveLength(37));
    await user.click(screen.getByRole("checkbox", { name: "Choose record 690" }));
    await user.click(screen.getByRole("button", { name: /The next request, to the byte/ }));
    demo.waiting(40);
    await act(() => demo.emit("overview", { ...overview, waiting_records: 40 }));
    expect(await screen.findByText(/40 records wait/)).toBeTruthy();
    expect(screen.getAllByRole("checkbox").length).toBeGreaterThanOrEqual(37);
    expect(screen.getByRole("checkbox", { name: "Choose record 690" })).toHaveProperty("checked", true);
    await user.type(screen.getByRole("searchbox"), "nowhere to be found");
    demo.waiting(41);
    await act(() => demo.emit("overview", { ...overview, waiting_records: 41 }));
    expect(await screen.findByText(/41 records wait/)).toBeTruthy();
    expect(screen.getByText(/42 waiting/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Delete 1 chosen" })).toBeTruthy();
  });

  it("are of the list's moment where the head's are of another", async () => {
    const { user } = await open("knows", "ordinary", "en", (demo) => demo.waiting(40));
    expect(screen.getByText(/38 waiting/)).toBeTruthy();
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText(/40 records wait/)).toBeTruthy();
    expect(screen.getByText(/41 waiting/)).toBeTruthy();
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave41");
    expect(screen.queryByText(/37 records|38 waiting/)).toBeNull();
  });

  it("begin anew where the list changed between two pages", async () => {
    const { user, demo } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await screen.findByText(/37 records wait/);
    demo.waiting(45);
    await user.click(screen.getByRole("button", { name: "Show more (17 left)" }));
    expect(await screen.findByText(/45 records wait/)).toBeTruthy();
    expect(screen.getAllByRole("checkbox")).toHaveLength(40);
    await user.click(screen.getByRole("button", { name: /The next request, to the byte/ }));
    const body = JSON.parse(screen.getByRole("region", { name: "The next request" }).textContent ?? "") as {
      records: unknown[];
    };
    expect(body.records).toHaveLength(45);
  });

  it("say what can't be stored, and so isn't in the list", async () => {
    const { user } = await open("knows", "ordinary", "en", (demo) =>
      demo.answer("knows_waiting", () => ({ items: [], next: null, total: 0, unstored: 3, body: "" })),
    );
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText(/^3 more wait in memory/)).toBeTruthy();
    expect(screen.getByText(/4 waiting/)).toBeTruthy();
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave4");
  });

  it("never delete all where what was chosen left before the answer", async () => {
    const { user, demo, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await screen.findByRole("checkbox", { name: "Choose record 690" }));
    await user.click(screen.getByRole("button", { name: "Delete 1 chosen" }));
    const dialog = await screen.findByRole("dialog");
    await act(() => demo.transport.invoke("sync_now"));
    await waitFor(() => expect(screen.queryByRole("checkbox", { name: "Choose record 690", hidden: true })).toBeNull());
    expect(within(dialog).getByText("Delete 1 record?")).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(calls("delete_waiting")).toEqual([{ seqs: [690] }]));
  });
});

describe("a sentence", () => {
  const full: Sentence = { key: "problem.disk_full", values: {} };

  it("stands once in What Snag knows, whoever says it", async () => {
    const { user, demo } = await open("knows", "ordinary", "en", (demo) => {
      for (const one of ["knows_day", "knows_waiting"])
        demo.answer(one, () => {
          throw full;
        });
    });
    const overview = await demo.transport.invoke<Overview>("overview");
    demo.fail("export_json", full);
    const said = () => screen.getAllByText(/disk is full/);
    expect(said()).toHaveLength(1);
    await act(() =>
      demo.emit("overview", { ...overview, capture: { state: "unavailable", reason: full }, problems: [full] }),
    );
    expect(said()).toHaveLength(1);
    expect(screen.getByText(/can't notice anything here/)).toBeTruthy();
    await act(() => demo.emit("overview", { ...overview, concern: full, problems: [full] }));
    expect(said()).toHaveLength(1);
    expect(screen.getByText(/something needs you/i)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Export" }));
    await waitFor(() => expect(said()[0]?.closest("[data-kind]")).toHaveProperty("dataset.kind", "danger"));
    expect(said()).toHaveLength(1);
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(said()).toHaveLength(1);
  });
});

describe("what isn't well", () => {
  it("is looked at again until it is", async () => {
    const { demo, calls } = await open("settings", "ordinary", "en", (demo) =>
      demo.answer("health", () => [
        { source: "input", ok: false, sentence: { key: "health.input_waiting", values: {} } },
      ]),
    );
    expect(await screen.findByText(/^Not started/)).toBeTruthy();
    demo.answer("health", () => [{ source: "input", ok: true, sentence: { key: "health.ok.input", values: {} } }]);
    await waitFor(() => expect(screen.queryByText(/^Not started/)).toBeNull(), { timeout: 10_000 });
    const asked = calls("health").length;
    await new Promise((after) => setTimeout(after, 2_500));
    expect(calls("health")).toHaveLength(asked);
  });
});

describe("a locked list", () => {
  it("doesn't invite to type", async () => {
    await open("settings", "ordinary", "en", ({ answer, transport }) => {
      const before = transport.invoke<Settings>("settings");
      answer("settings", async () => ({
        ...(await before),
        never_apps: { value: [], locked_by: "Nordhafen" },
        never_ask_apps: { value: ["Payroll"], locked_by: "Nordhafen" },
      }));
    });
    const [looked, asked] = ["Never look at these programs", "Never ask about these programs"].map((name) =>
      screen.getByRole("textbox", { name: new RegExp(name, "i") }),
    );
    expect(looked).toHaveProperty("disabled", true);
    expect(looked?.getAttribute("placeholder")).toBe("No program");
    expect(asked?.getAttribute("placeholder")).toBeNull();
  });
});

describe("what redaction took out of names", () => {
  it.each([
    ["en", "a number, left out by Snag", "a date, a time, left out by Snag"],
    ["de", "eine Zahl, von Snag weggelassen", "ein Datum, eine Uhrzeit, von Snag weggelassen"],
  ] as const)("is a gap that says what was there, %s", async (language, number, dateAndTime) => {
    const { user } = await open("knows", "ordinary", language);
    const cell = (await screen.findAllByRole("cell")).find((one) => one.textContent?.startsWith("Booking"));
    expect(cell?.textContent).toBe(`Booking …(${number}) of …(${dateAndTime})`);
    expect(cell && within(cell).getByTitle(dateAndTime).textContent).toMatch(/^…/);
    // In sentences, too, for the eye and for the ear.
    expect(screen.getByRole("button", { name: new RegExp(`Reopen …? ?\\(${number}\\)[“”] in Ledger`) })).toBeTruthy();
    expect(document.body.innerHTML).not.toMatch(/\{\w+\}/);
    // As it is read it is found.
    await user.type(screen.getByRole("searchbox"), "Booking …");
    expect(screen.getAllByRole("cell").some((one) => one.textContent?.startsWith("Booking"))).toBe(true);
  });
});

describe("what Snag knows", () => {
  it("explains a knot and adds its terms up to the score on the screen", async () => {
    const { user } = await open("knows");
    await user.click(await screen.findByRole("button", { name: /Snag at .*4 clicks in 0\.8 s/ }));
    const snag = screen.getByRole("region", { name: "The chosen snag" });
    expect(within(snag).getByText(/4 clicks in 0\.8 s on a button/)).toBeTruthy();
    const table = within(snag).getByRole("table");
    const number = (text: string | null | undefined) => Number((text ?? "").replace("+ ", "").replace("− ", "-"));
    const parts = [...table.querySelectorAll("tbody tr")].map((row) => number(row.lastElementChild?.textContent));
    const sum = number(table.querySelector("[data-score]")?.textContent);
    expect(parts.length).toBeGreaterThan(3);
    expect(Math.round(parts.reduce((total, part) => total + part, 0) * 100)).toBe(Math.round(sum * 100));
  });

  it("shows what waits to the byte, and deletes what is chosen after asking", async () => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await screen.findByRole("button", { name: /The next request, to the byte/ }));
    expect(screen.getByRole("region", { name: "The next request" }).textContent).toContain('"device":"0193e7a4');
    await user.click(screen.getByRole("checkbox", { name: "Choose record 690" }));
    await user.click(screen.getByRole("checkbox", { name: "Choose record 692" }));
    await user.click(screen.getByRole("button", { name: "Delete 2 chosen" }));
    expect(calls("delete_waiting")).toEqual([]);
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(calls("delete_waiting")).toEqual([{ seqs: [690, 692] }]));
    await waitFor(() => expect(screen.queryByRole("checkbox", { name: "Choose record 690" })).toBeNull());
    expect(screen.getByText(/^35 records wait/)).toBeTruthy();
  });

  it("follows what is sent meanwhile", async () => {
    const { user, demo } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await screen.findByRole("checkbox", { name: "Choose record 690" });
    await demo.transport.invoke("sync_now");
    await waitFor(() => expect(screen.queryByRole("checkbox", { name: "Choose record 690" })).toBeNull());
  });

  it("deletes what was refused after asking", async () => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Refused/ }));
    await user.click(await screen.findByRole("button", { name: "Delete all" }));
    expect(calls("delete_refused")).toEqual([]);
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(screen.queryByText("dwell_ms is below zero")).toBeNull());
    expect(calls("delete_refused").length).toBe(1);
  });

  it("deletes nothing when the answer is to keep it", async () => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await screen.findByRole("button", { name: "Delete all" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Keep it" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(calls("delete_waiting")).toEqual([]);
  });

  it("reads on where a page ends", async () => {
    const { user } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await screen.findByRole("button", { name: "Show more (17 left)" }));
    await waitFor(() => expect(screen.getAllByRole("checkbox")).toHaveLength(37));
  });

  it("finds in all lists", async () => {
    const { user } = await open("knows");
    await screen.findByRole("heading", { name: "6 snags" });
    await user.type(screen.getByRole("searchbox"), "writer");
    expect(screen.queryByRole("heading", { name: "6 snags" })).toBeNull();
    expect(screen.getByText(/Writer had 6 steps undone/)).toBeTruthy();
    await user.click(screen.getByRole("tab", { name: /Refused/ }));
    await screen.findByRole("heading", { name: "What you said" });
    await user.type(screen.getByRole("searchbox"), "s");
    expect(await screen.findByText("Nothing here holds “writers”.")).toBeTruthy();
  });

  it("leads to the first page where that wasn't read yet", async () => {
    const { user, calls } = await open("knows", "not-acknowledged");
    await user.click(await screen.findByRole("button", { name: "Read it now" }));
    expect(calls("open_window")).toEqual([{ name: "first-run" }]);
  });

  it("goes from day to day, deletes one and exports", async () => {
    const { user, calls } = await open("knows");
    await user.click(await screen.findByRole("button", { name: "The day before" }));
    await waitFor(() => expect(calls("knows_day").at(-1)).toEqual({ date: "2026-11-19" }));
    await waitFor(() =>
      expect(screen.getByRole("combobox", { name: "Which day" })).toHaveProperty("value", "2026-11-19"),
    );
    await user.click(screen.getByRole("button", { name: "Delete this day" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(calls("delete_day")).toEqual([{ date: "2026-11-19" }]));
    await user.click(screen.getByRole("button", { name: "Export" }));
    expect((await screen.findAllByText(/snag-export\.json/)).length).toBeGreaterThan(0);
  });

  it("says who looked, and asks the server to forget only after asking", async () => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Who looked/ }));
    expect(await screen.findByText("Looked at your picture")).toBeTruthy();
    expect(screen.getByText(/Reading your words isn't listed here\./)).toBeTruthy();
    await user.click(screen.getByRole("tab", { name: /^Sent/ }));
    await user.click(await screen.findByRole("button", { name: /Ask the server to forget/ }));
    expect(calls("request_deletion")).toEqual([]);
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Ask to forget" }));
    await waitFor(() => expect(calls("request_deletion")).toHaveLength(1));
  });
});

describe("records that are deleted", () => {
  const remove = async (language: "en" | "de", deleted: number, leaving: number) => {
    const { user, demo } = await open("knows", "ordinary", language, (demo) =>
      demo.answer("delete_waiting", () => ({ deleted, leaving })),
    );
    await user.click(screen.getAllByRole("tab")[1] as Element);
    await user.click(await screen.findByRole("button", { name: language === "en" ? "Delete all" : "Alle löschen" }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: language === "en" ? "Delete" : "Löschen" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    return { user, demo };
  };

  it.each([
    ["en", 36, 1, "1 was on its way to the server already; it is deleted here if it doesn't arrive."],
    ["en", 30, 7, "7 were on their way to the server already; they are deleted here if they don't arrive."],
    ["de", 36, 1, "1 Eintrag war schon zum Server unterwegs; er wird hier gelöscht, falls er nicht ankommt."],
    ["de", 30, 7, "7 Einträge waren schon zum Server unterwegs; sie werden hier gelöscht, falls sie nicht ankommen."],
  ] as const)(
    "are said to be on their way where they are, %s, %i and %i",
    async (language, deleted, leaving, words) => {
      await remove(language, deleted, leaving);
      expect(announced()).toContain(`${language === "en" ? "Deleted" : "Gelöscht"}. ${words}`);
      expect(screen.getByText(words).closest("[data-kind=info]")).toBeTruthy();
    },
  );

  it("aren't called deleted where all of them were on their way", async () => {
    await remove("en", 0, 2);
    expect(announced().filter((one) => /^Deleted/.test(one ?? ""))).toEqual([]);
    expect(announced()).toContain(
      "2 were on their way to the server already; they are deleted here if they don't arrive.",
    );
  });

  it("are on their way no longer than until the server took something", async () => {
    const { demo } = await remove("en", 1, 2);
    const overview = await demo.transport.invoke<Overview>("overview");
    await act(() => demo.emit("overview", { ...overview, last_sent_at: "2026-11-20T19:00:00Z" }));
    expect(document.querySelector("[data-kind=info]")).toBeNull();
  });

  it("are simply deleted where none was on its way", async () => {
    await remove("en", 37, 0);
    expect(announced()).toContain("Deleted");
    expect(screen.queryByText(/on (its|their) way/)).toBeNull();
  });
});

describe("what was said and didn't leave", () => {
  const section = () => screen.findByRole("region", { name: "What you said" });

  it.each([
    [
      "Waiting to leave",
      /Idea.*Ledger.*Offer the last ten suppliers/,
      "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a20",
      /^Goes to/,
    ],
    ["Refused", /Praise.*Writer.*The new print preview/, "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a30", /^Stays here/],
  ] as const)("is listed under %s, and opens to the byte", async (name, line, id, words) => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: new RegExp(`^${name}`) }));
    const said = await section();
    const opener = await within(said).findByRole("button", { name: line });
    expect(within(said).getAllByRole("listitem")).toHaveLength(1);
    expect(calls("feedback_kept")).toEqual([]);
    await user.click(opener);
    expect(await within(said).findByRole("img", { name: /picture as it leaves/ })).toBeTruthy();
    expect(within(said).getByRole("region", { name: "The request, as it leaves" }).textContent).toContain(
      `"id": "${id}"`,
    );
    expect(within(said).getByText(words).textContent).toMatch(/with the picture \(32 KB\)/);
    expect([calls("feedback_kept"), calls("feedback_kept_picture")]).toEqual([[{ id }], [{ id }]]);
    if (name === "Refused") expect(within(said).getByText(/The server said: The screenshot is larger/)).toBeTruthy();
    // Above the records.
    const records = screen.getByRole("heading", { name: "Records" });
    expect(said.compareDocumentPosition(records) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  });

  it("says why where it can't be shown", async () => {
    const { user, demo } = await open("knows");
    demo.fail("feedback_kept", { key: "problem.disk_full", values: {} });
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await within(await section()).findByRole("button", { name: /Offer the last ten/ }));
    expect(await screen.findByText(/disk is full/)).toBeTruthy();
  });

  it("has no picture where none goes along", async () => {
    const { user, calls } = await open("knows", "ordinary", "en", (demo) =>
      demo.answer("feedback_kept", () => ({ json: "{}", picture_bytes: 0, server: "" })),
    );
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(await within(await section()).findByRole("button", { name: /Offer the last ten/ }));
    expect(await screen.findByText(/^Kept here until this computer belongs/)).toBeTruthy();
    expect(screen.queryByRole("img", { name: /picture/ })).toBeNull();
    expect(calls("feedback_kept_picture")).toEqual([]);
  });

  it("isn't there where there is none", async () => {
    const { user } = await open("knows", "empty");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await screen.findByText(/Nothing waits/);
    expect(screen.queryByRole("region", { name: "What you said" })).toBeNull();
  });

  it("is found by what is searched, with the records", async () => {
    const { user } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await section();
    const search = screen.getByRole("searchbox");
    await user.type(search, "suppliers");
    expect(screen.getByRole("button", { name: /Offer the last ten/ })).toBeTruthy();
    await waitFor(() => expect(screen.queryByText("Searching…")).toBeNull());
    expect(screen.queryByRole("checkbox")).toBeNull();
    expect(screen.queryByText(/Nothing here holds/)).toBeNull();
    await user.clear(search);
    await user.type(search, "calc");
    expect(screen.queryByRole("region", { name: "What you said" })).toBeNull();
    expect(screen.getAllByRole("checkbox").length).toBeGreaterThan(0);
    await user.clear(search);
    await user.type(search, "nowhere");
    expect(await screen.findByText("Nothing here holds “nowhere”.")).toBeTruthy();
  });

  it("is spoken of as what it is where it leaves while that is asked", async () => {
    const { user, demo } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(within(await section()).getByRole("button", { name: "Delete…" }));
    await screen.findByText("It is deleted here. What of it hasn't been sent yet never will be.");
    const [overview, all] = await Promise.all([
      demo.transport.invoke<Overview>("overview"),
      demo.transport.invoke<Conversation[]>("conversations"),
    ]);
    const at = "2026-11-20T19:00:00Z";
    demo.answer("conversations", () => all.map((one) => ({ ...one, state: { state: "sent", at } })));
    await act(() => demo.emit("overview", { ...overview, waiting_feedback: 0, last_sent_at: at }));
    expect(await screen.findByText(/Nordhafen Logistics still has it/)).toBeTruthy();
  });

  it("is deleted after asking, and the focus stays in the window", async () => {
    const { user, calls } = await open("knows");
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    await user.click(within(await section()).getByRole("button", { name: "Delete…" }));
    expect(await screen.findByText("It is deleted here. What of it hasn't been sent yet never will be.")).toBeTruthy();
    expect(calls("conversation_delete")).toEqual([]);
    await confirm(user);
    await waitFor(() => expect(calls("conversation_delete")).toEqual([{ id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a20" }]));
    await waitFor(() => expect(screen.queryByRole("region", { name: "What you said" })).toBeNull());
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("tab", { selected: true })));
    expect(announced()).toContain("Deleted");
  });
});

describe("a search in a long list", () => {
  const word = (seq: number) => (seq === 55 ? "needle" : "hay");
  const record = (seq: number): RecordView => ({
    seq,
    at: "2026-11-20T10:00:00Z",
    kind: "event",
    app: word(seq),
    json: "{}",
    reason: "",
  });
  const page = (after: unknown, size = 20, total = 90): RecordPage => {
    const from = Number(after ?? 0);
    const items = Array.from({ length: Math.min(size, total - from) }, (_, index) => record(from + index + 1));
    return { items, next: from + size < total ? from + size : null, total, unstored: 0, body: "" };
  };
  let watching: MutationObserver | undefined;
  /** All that was on the screen at any time from now on. */
  const watch = () => {
    const seen = new Set<string>();
    const look = () => document.querySelectorAll(".knows-panel p").forEach((one) => seen.add(one.textContent ?? ""));
    watching = new MutationObserver(look);
    watching.observe(document.body, { childList: true, subtree: true, characterData: true });
    return seen;
  };
  // What is left of a page that is gone is nobody's.
  afterEach(() => watching?.disconnect());
  const long = async (which: "waiting" | "refused", change?: (demo: Demo) => void) => {
    const opened = await open("knows", "ordinary", "en", (demo) => {
      demo.answer(`knows_${which}`, ({ after }) => page(after));
      change?.(demo);
    });
    await opened.user.click(screen.getByRole("tab", { name: which === "waiting" ? /Waiting to leave/ : /Refused/ }));
    await screen.findByRole("button", { name: "Show more (70 left)" });
    return { ...opened, asked: () => opened.calls(`knows_${which}`).map(({ after }) => after) };
  };
  const search = (words: string) => fireEvent.change(screen.getByRole("searchbox"), { target: { value: words } });
  const settle = () => act(() => new Promise((done) => setTimeout(done, 50)));

  it.each(["waiting", "refused"] as const)("reads on in what is %s until something holds it", async (which) => {
    const { asked } = await long(which);
    const seen = watch();
    search("needle");
    expect(screen.getByText("Searching…").getAttribute("role")).toBe("status");
    expect(await screen.findByRole("button", { name: /Step needle/ })).toBeTruthy();
    expect(screen.queryByText("Searching…")).toBeNull();
    expect(asked().slice(-3)).toEqual([null, 20, 40]);
    // Others may hold it, too.
    expect(screen.getByRole("button", { name: "Show more (30 left)" })).toBeTruthy();
    expect([...seen].filter((one) => /Nothing here holds/.test(one))).toEqual([]);
  });

  it("shows more until there is more to show, or the end", async () => {
    const { user, asked } = await long("waiting");
    search("needle");
    await user.click(await screen.findByRole("button", { name: "Show more (30 left)" }));
    await waitFor(() => expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull());
    expect(asked().at(-1)).toBe(80);
    expect(screen.getByRole("button", { name: /Step needle/ })).toBeTruthy();
  });

  it("says that nothing holds it at the end, and not before", async () => {
    const { asked } = await long("waiting");
    const seen = watch();
    search("nowhere");
    expect(await screen.findByText("Nothing here holds “nowhere”.")).toBeTruthy();
    expect(asked().at(-1)).toBe(80);
    expect(seen.has("Searching…")).toBe(true);
    expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull();
    await settle();
    // Once through the list.
    expect(asked()).toHaveLength(1 + 5);
  });

  it("ends where a page fails, says why, and goes on when asked to", async () => {
    let fails = true;
    const { user, asked } = await long("waiting", (demo) =>
      demo.answer("knows_waiting", ({ after }) => {
        if (fails && after === 20) throw { key: "problem.disk_full", values: {} };
        return page(after);
      }),
    );
    search("needle");
    expect(await screen.findByText(/disk is full/)).toBeTruthy();
    await settle();
    expect(asked()).toHaveLength(1 + 2);
    expect(screen.queryByText(/Nothing here holds|Searching/)).toBeNull();
    fails = false;
    await user.click(screen.getByRole("button", { name: "Show more (70 left)" }));
    expect(await screen.findByRole("button", { name: /Step needle/ })).toBeTruthy();
    expect(screen.queryByText(/disk is full/)).toBeNull();
  });

  it("follows what is searched when that changes under way", async () => {
    const answers: (() => void)[] = [];
    let isSlow = false;
    const { asked } = await long("waiting", (demo) =>
      demo.answer("knows_waiting", async ({ after }) => {
        if (isSlow) await new Promise<void>((done) => answers.push(done));
        return page(after);
      }),
    );
    isSlow = true;
    search("nowhere");
    await waitFor(() => expect(answers).toHaveLength(1));
    search("needle");
    await waitFor(() => expect(answers).toHaveLength(2));
    isSlow = false;
    answers.forEach((answer) => answer());
    expect(await screen.findByRole("button", { name: /Step needle/ })).toBeTruthy();
    search("hay");
    expect(screen.getAllByRole("checkbox").length).toBeGreaterThan(20);
    await settle();
    // The first search read no further than where the second one took its place.
    expect(asked()).toEqual([null, null, null, 20, 40]);
    search("");
    await settle();
    expect(screen.queryByText(/Nothing here holds|Searching/)).toBeNull();
    expect(asked()).toHaveLength(5);
  });

  it("ends where the list doesn't hold still", async () => {
    let total = 90;
    let isMoving = false;
    const { asked } = await long("waiting", (demo) =>
      demo.answer("knows_waiting", ({ after }) => page(after, 20, isMoving ? (total += 1) : total)),
    );
    isMoving = true;
    search("nowhere");
    await waitFor(() => expect(screen.queryByText("Searching…")).toBeNull());
    await settle();
    expect(asked().length).toBeLessThan(20);
    expect(screen.queryByText(/Nothing here holds/)).toBeNull();
    expect(screen.getByRole("button", { name: /Show more/ })).toBeTruthy();
  });

  it("reads nothing on where the list isn't looked at", async () => {
    const { user, asked } = await long("waiting");
    await user.click(screen.getByRole("tab", { name: "Today" }));
    search("nowhere");
    await settle();
    expect(asked()).toHaveLength(1);
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText("Nothing here holds “nowhere”.")).toBeTruthy();
  });
});

describe("settings", () => {
  it("show what IT set with a lock, and let it be", async () => {
    await open("settings");
    const select = await screen.findByRole("combobox", { name: "At most" });
    expect(select).toHaveProperty("disabled", true);
    expect(screen.getByText("All programs are looked at, except: *bank*, Health Portal.")).toBeTruthy();
    expect(screen.getAllByText("Set by Nordhafen Logistics")).toHaveLength(3);
    expect(screen.getByRole("switch", { name: "Start with the computer" })).toHaveProperty("disabled", true);
  });

  it("change one thing at a time and say that it is saved", async () => {
    const { user, calls } = await open("settings");
    await user.click(await screen.findByRole("switch", { name: "Snag may ask me for feedback" }));
    await waitFor(() => expect(calls("change_settings")).toEqual([{ change: { prompts: false } }]));
    await waitFor(() => expect(screen.getAllByRole("status").some((one) => one.textContent === "Saved")).toBe(true));
  });

  it("ask which programs never where that can't be read any more", async () => {
    const { user, calls, demo } = await open("settings");
    const reason = { key: "problem.settings_damaged", values: {} };
    const overview = await demo.transport.invoke<Overview>("overview");
    const { never_apps, pause_rules } = await demo.transport.invoke<Settings>("settings");
    expect(screen.queryByRole("button", { name: "They are right" })).toBeNull();
    await act(() => demo.emit("overview", { ...overview, capture: { state: "unavailable", reason } }));
    await user.click(screen.getByRole("button", { name: "They are right" }));
    expect([never_apps.locked_by, pause_rules.locked_by]).toEqual([null, null]);
    await waitFor(() =>
      expect(calls("change_settings")).toEqual([
        { change: { never_apps: never_apps.value, pause_rules: pause_rules.value } },
      ]),
    );
  });

  it("speak the chosen language at once", async () => {
    const { user } = await open("settings");
    await user.selectOptions(await screen.findByRole("combobox", { name: "Language" }), "de");
    expect(await screen.findByRole("heading", { name: "Einstellungen" })).toBeTruthy();
    expect(document.documentElement.lang).toBe("de");
  });

  it("turn dark at once", async () => {
    const { user } = await open("settings");
    await user.click(await screen.findByRole("radio", { name: "Dark" }));
    await waitFor(() => expect(document.documentElement.dataset.mantineColorScheme).toBe("dark"));
  });

  it("take a shortcut by its keys, and refuse one without Ctrl, Alt or Super", async () => {
    const { user, calls } = await open("settings");
    await user.click(await screen.findByRole("button", { name: /Shortcut for feedback/ }));
    await user.keyboard("g");
    expect(calls("change_settings")).toEqual([]);
    await user.keyboard("{Control>}{Shift>}[KeyG]{/Shift}{/Control}");
    await waitFor(() => expect(calls("change_settings")).toEqual([{ change: { shortcut: "Ctrl+Shift+G" } }]));
  });

  it("take a shortcut from the app, which gets the keys that another program holds", async () => {
    const answers: ((pressed: string | null) => void)[] = [];
    const { user, calls } = await open("settings", "ordinary", "en", (demo) =>
      demo.answer("shortcut_press", () => new Promise((answer) => answers.push(answer))),
    );
    const button = await screen.findByRole("button", { name: /Shortcut for feedback/ });
    await user.click(button);
    await act(async () => answers[0]?.(""));
    expect(await screen.findByText("Hold Ctrl, Alt or Super as well.")).toBeTruthy();
    await act(async () => answers[1]?.("Ctrl+Alt+K"));
    await waitFor(() => expect(calls("change_settings")).toEqual([{ change: { shortcut: "Ctrl+Alt+K" } }]));
    expect(calls("shortcut_press_end")).toEqual([]);
    // Who goes elsewhere leaves the keys to the others, and what is pressed then counts no more.
    await user.click(button);
    await user.tab();
    expect(calls("shortcut_press_end")).toHaveLength(1);
    await act(async () => answers[2]?.("Ctrl+Alt+L"));
    expect(calls("change_settings")).toHaveLength(1);
  });

  it("say why a change was refused", async () => {
    const { user } = await open("settings", "ordinary", "en", (demo) =>
      demo.fail("change_settings", { key: "problem.shortcut_taken", values: { shortcut: "Ctrl+Alt+G" } }),
    );
    await user.click(await screen.findByRole("button", { name: /Shortcut for feedback/ }));
    await user.keyboard("{Control>}{Alt>}[KeyG]{/Alt}{/Control}");
    expect(await screen.findByText(/Another program uses Ctrl\+Alt\+G already/)).toBeTruthy();
  });

  it("pause and resume", async () => {
    const { user, calls } = await open("settings");
    await user.click(await screen.findByRole("button", { name: "For 1 hour" }));
    expect(calls("pause")).toEqual([{ for: "hour" }]);
    await user.click(await screen.findByRole("button", { name: "Resume" }));
    expect(calls("resume")).toHaveLength(1);
  });

  it("keep a time without Snag only where it is one", async () => {
    const { user, calls } = await open("settings");
    const from = await screen.findByRole("textbox", { name: "From" });
    await user.clear(from);
    await user.type(from, "25:00");
    await user.tab();
    expect(calls("change_settings")).toEqual([]);
    await user.clear(from);
    await user.type(from, "9:30");
    await user.tab();
    await waitFor(() =>
      expect(calls("change_settings")).toEqual([
        { change: { pause_rules: [{ days: [1, 2, 3, 4, 5], from: "09:30", to: "13:00" }] } },
      ]),
    );
  });

  it("name what capture lacks and what to do", async () => {
    await open("settings");
    expect(await screen.findByText(/clicks without an answer aren't noticed/)).toBeTruthy();
  });
});

describe("conversations", () => {
  it("show the answer, and mark it read", async () => {
    const { calls } = await open("conversations");
    expect(await screen.findByText(/we could reproduce it/)).toBeTruthy();
    await waitFor(() => expect(calls("conversation_read")).toEqual([{ id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10" }]));
  });

  it("say how far each is", async () => {
    const { user } = await open("conversations");
    await user.click(await screen.findByRole("button", { name: /Offer the last ten/ }));
    expect(screen.getByText(/Kept here, sent as soon as/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /print preview/ }));
    expect(screen.getByText(/larger than 10 MB/)).toBeTruthy();
  });

  const said = (id: string, more: Partial<Conversation> = {}): Conversation => ({
    id,
    at: "2026-11-20T08:00:00Z",
    category: "bug",
    description: `words of ${id}`,
    app: "Ledger",
    state: { state: "sent", at: "2026-11-20T08:01:00Z" },
    messages: [],
    unread: 0,
    picture_removed: false,
    picture_problem: null,
    ...more,
  });
  const answered = (id: string, hour: string, unread: number, mine?: string): Conversation =>
    said(id, {
      unread,
      messages: [
        { id: `${id}-1`, at: `2026-11-20T${hour}:00:00Z`, author: "Mara Lindt", text: `answer to ${id}` },
        ...(mine ? [{ id: `${id}-2`, at: `2026-11-20T${mine}:00:00Z`, author: "", text: "Thanks" }] : []),
      ],
    });
  /** Opens the window with these; `read` marks as Rust does. */
  const openWith = (list: Conversation[]) =>
    open("conversations", "ordinary", "en", (demo) => {
      let all = list;
      demo.answer("conversations", () => all);
      demo.answer("conversation_read", ({ id }) => {
        all = all.map((one) => (one.id === id ? { ...one, unread: 0 } : one));
      });
      demo.answer("conversation_delete", ({ id }) => {
        all = all.filter((one) => one.id !== id);
      });
    });
  const shown = () => document.querySelector("[aria-current] .thread-text")?.textContent;

  it("show the newest reply that waits to be read first, and stay with it once it is read", async () => {
    const { calls, demo } = await openWith([
      said("newest"),
      answered("later", "12", 1, "16"),
      answered("latest", "15", 1),
      answered("read", "18", 0),
    ]);
    expect(await screen.findByText("answer to latest")).toBeTruthy();
    await waitFor(() => expect(calls("conversations").length).toBeGreaterThan(1));
    // The others are as unread as before.
    expect(calls("conversation_read")).toEqual([{ id: "latest" }]);
    await waitFor(() => expect(screen.getAllByText("1 new")).toHaveLength(1));
    expect(shown()).toBe("words of latest");
    // Neither does another reply take its place.
    const overview = await demo.transport.invoke<Overview>("overview");
    demo.answer("conversations", () => [answered("new", "19", 1), answered("latest", "15", 0)]);
    await act(() => demo.emit("overview", { ...overview, unread_replies: 5 }));
    await waitFor(() => expect(screen.getByRole("button", { name: /words of new/ })).toBeTruthy());
    expect(shown()).toBe("words of latest");
    expect(calls("conversation_read")).toEqual([{ id: "latest" }]);
  });

  it("show what was said last where no reply waits", async () => {
    await openWith([said("newest"), answered("read", "18", 0)]);
    await screen.findByRole("region", { name: "The conversation" });
    expect(shown()).toBe("words of newest");
  });

  it("stay with what the person turned to", async () => {
    const { user, calls } = await openWith([answered("first", "12", 1), answered("second", "10", 1)]);
    await user.click(await screen.findByRole("button", { name: /words of second/ }));
    await waitFor(() => expect(calls("conversation_read")).toEqual([{ id: "first" }, { id: "second" }]));
    await waitFor(() => expect(screen.queryByText("1 new")).toBeNull());
    expect(shown()).toBe("words of second");
  });

  it("say that the picture wasn't taken, and that the words have arrived", async () => {
    const { user } = await open("conversations");
    const words = /^The picture wasn't taken: The screenshot can't be read\. What you wrote has arrived\.$/;
    await screen.findByRole("region", { name: "The conversation" });
    expect(screen.queryByText(words)).toBeNull();
    await user.click(screen.getByRole("button", { name: /change the currency/ }));
    const line = screen.getByText(words);
    expect(line.className).toBe("quiet");
    expect(document.querySelector(".state")?.nextElementSibling).toBe(line);
  });

  it.each([
    [
      said("one", { state: { state: "waiting" } }),
      "Nordhafen",
      "It is deleted here. What of it hasn't been sent yet never will be.",
    ],
    [
      said("one", { state: { state: "refused", reason: "no" } }),
      "Nordhafen",
      "It is deleted here. The server never took it.",
    ],
    [said("one"), "Nordhafen", "It is deleted on this computer, with the answers. Nordhafen still has it."],
    [said("one"), "", "It is deleted on this computer, with the answers. The server still has it."],
  ])("say what is deleted and what stays, %#", async (one, organisation, words) => {
    const { user, demo, calls } = await openWith([one]);
    const overview = await demo.transport.invoke<Overview>("overview");
    await act(() => demo.emit("overview", { ...overview, organisation }));
    await user.click(await screen.findByRole("button", { name: "Delete…" }));
    expect(await within(await screen.findByRole("dialog")).findByText(words)).toBeTruthy();
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Keep it" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(calls("conversation_delete")).toEqual([]);
  });

  it("say something else where it leaves while that is asked", async () => {
    const { user, demo } = await openWith([said("one", { state: { state: "waiting" } })]);
    await user.click(await screen.findByRole("button", { name: "Delete…" }));
    const dialog = await screen.findByRole("dialog");
    const overview = await demo.transport.invoke<Overview>("overview");
    demo.answer("conversations", () => [said("one")]);
    await act(() => demo.emit("overview", { ...overview, last_sent_at: "2026-11-20T19:00:00Z" }));
    expect(await within(dialog).findByText(/Nordhafen Logistics still has it/)).toBeTruthy();
  });

  it("delete one after the other, with the focus on what is shown then", async () => {
    const { user, calls } = await openWith([said("first"), said("second"), said("third")]);
    const removed: { id: string }[] = [];
    for (const [id, next] of [
      ["second", "third"],
      ["third", "first"],
    ] as const) {
      await user.click(await screen.findByRole("button", { name: new RegExp(`words of ${id}`) }));
      const asked = calls("conversations").length;
      await user.click(screen.getByRole("button", { name: "Delete…" }));
      await confirm(user);
      removed.push({ id });
      await waitFor(() => expect(calls("conversation_delete")).toEqual(removed));
      await waitFor(() => expect(screen.queryByText(`words of ${id}`)).toBeNull());
      expect(calls("conversations").length).toBeGreaterThan(asked);
      expect(shown()).toBe(`words of ${next}`);
      await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
      await waitFor(() =>
        expect(document.activeElement).toBe(screen.getByRole("button", { name: new RegExp(`words of ${next}`) })),
      );
    }
    expect(announced()).toContain("Deleted");
    await user.click(screen.getByRole("button", { name: "Delete…" }));
    await confirm(user);
    const give = await screen.findByRole("button", { name: "Give feedback" });
    await waitFor(() => expect(document.activeElement).toBe(give));
  });

  it("stay where one is on its way at that moment", async () => {
    const { user, demo } = await openWith([said("one", { state: { state: "waiting" } })]);
    demo.fail("conversation_delete", { key: "problem.leaving_now", values: {} });
    await user.click(await screen.findByRole("button", { name: "Delete…" }));
    await confirm(user);
    const words = await within(screen.getByRole("dialog")).findByText(/^This is on its way at this moment\./);
    expect(words.closest("[role=alert]")).toBeTruthy();
    expect(shown()).toBe("words of one");
    await confirm(user);
    expect(await screen.findByRole("button", { name: "Give feedback" })).toBeTruthy();
  });
});
