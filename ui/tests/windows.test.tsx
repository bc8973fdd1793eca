import { act, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Overview, Sentence, Settings } from "../src/ipc/bindings";
import { WINDOWS } from "../src/ipc/client";
import { open, violations } from "./window";

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
    expect(await screen.findByText(/Feedback that waits as well: 2\./)).toBeTruthy();
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
    expect(await screen.findByText(/Feedback that waits as well: 1\./)).toBeTruthy();
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
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave38");
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
    expect(screen.getByText(/41 waiting/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Delete 1 chosen" })).toBeTruthy();
  });

  it("are of the list's moment where the head's are of another", async () => {
    const { user } = await open("knows", "ordinary", "en", (demo) => demo.waiting(40));
    expect(screen.getByText(/37 waiting/)).toBeTruthy();
    await user.click(screen.getByRole("tab", { name: /Waiting to leave/ }));
    expect(await screen.findByText(/40 records wait/)).toBeTruthy();
    expect(screen.getByText(/40 waiting/)).toBeTruthy();
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave40");
    expect(screen.queryByText(/37 (records|waiting)/)).toBeNull();
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
    expect(screen.getByText(/3 waiting/)).toBeTruthy();
    expect(tab(/Waiting to leave/)).toBe("Waiting to leave3");
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
    expect(await screen.findByText("The server refused nothing.")).toBeTruthy();
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
    expect(await screen.findByText("Nothing here holds “writer”.")).toBeTruthy();
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
});
