/** A believable day of a made-up person, for tests, the browser and pictures. */
import type {
  Conversation,
  Datum,
  Day,
  FeedbackForm,
  FirstRun,
  HealthLine,
  IncidentKind,
  LookView,
  Overview,
  RecordView,
  ScoreView,
  SentBatch,
  Settings,
} from "../bindings";
import { SIZE } from "./picture";

/** Six in the evening of 20 November 2026, in the computer's zone. */
const MIDNIGHT = new Date(2026, 10, 20).getTime();
export const at = (hour: number, minute = 0, second = 0) =>
  new Date(MIDNIGHT + ((hour * 60 + minute) * 60 + second) * 1000).toISOString();

const ORGANISATION = "Nordhafen Logistics";

export const overview = (): Overview => ({
  icon: "capturing",
  capture: { state: "capturing" },
  organisation: ORGANISATION,
  contact: "Mara Lindt, IT Service (ext. 4410)",
  waiting_records: 37,
  // As many as are listed: see makeDemo.
  waiting_feedback: 0,
  sent_feedback: 0,
  refused_feedback: 0,
  last_sent_at: at(17, 52),
  server_problem: null,
  concern: null,
  unread_replies: 1,
  problems: [],
  version: "0.4.0",
});

const datum = (name: string, what: string, purpose: string, sensitivity: Datum["sensitivity"]): Datum => ({
  name,
  what,
  purpose,
  sensitivity,
  expires_days: 90,
});

export const firstRun = (german: boolean): FirstRun => ({
  version: "3f1c",
  organisation: ORGANISATION,
  contact: "Mara Lindt",
  server: "snag.nordhafen.example",
  data: german
    ? [
        datum(
          "event.kind",
          "Was getan wurde: ein Klick, Ziehen, Blättern, Tasten, ein Wechsel der Maske",
          "Die Schritte sehen, die zu einem Problem führten",
          "behaviour",
        ),
        datum("event.t_ms", "Wann, auf die Millisekunde", "Reihenfolge und Tempo sehen", "behaviour"),
        datum("incident.count", "Wie viele Klicks, Fehler oder Rücknahmen", "Sagen, wie schlimm es war", "behaviour"),
        datum(
          "label.text",
          "Ein Titel oder Name ohne persönliche Teile, den mindestens k Personen teilen",
          "Denen, die Programme ausbessern, sagen, welche Maske gemeint ist",
          "text",
        ),
        datum("feedback.description", "Ihre eigenen Worte", "Hören, was nicht stimmt", "said"),
        datum("batch.agent_version", "Die Version von Snag", "Fehler von Snag selbst finden", "technical"),
      ]
    : [
        datum(
          "event.kind",
          "What was done: a click, a drag, scrolling, keys, a change of screen",
          "See the steps that led to a problem",
          "behaviour",
        ),
        datum("event.t_ms", "When, to the millisecond", "See the order and the pace", "behaviour"),
        datum("incident.count", "How many clicks, errors or undos", "Tell how bad it was", "behaviour"),
        datum(
          "label.text",
          "A title or name with its personal parts taken out, which at least k people share",
          "Let people who mend programs know which screen is meant",
          "text",
        ),
        datum("feedback.description", "Your own words", "Hear what is wrong", "said"),
        datum("batch.agent_version", "The version of Snag", "Find faults of Snag itself", "technical"),
      ],
  never: german
    ? [
        "Tasten, die Sie drücken. Snag erfährt nur ihre Art (ein Zeichen, Enter, Rückgängig), nie welche Taste es war.",
        "Text, den Sie sehen, markieren, kopieren oder einfügen.",
        "Wo der Zeiger steht.",
      ]
    : [
        "Keys you type. Snag learns the class of a key (a character, Enter, Undo), never which key it was.",
        "Text you see, select, copy or paste.",
        "Where the pointer is.",
      ],
  policy: {
    only_named_apps: false,
    apps: ["KeePassXC", "*bank*", "Health Portal"],
    k: 5,
    readable: [["Ledger", "Invoice .*"]],
    kept_days: 90,
  },
  widened: [],
  acknowledged_at: null,
  example: JSON.stringify({
    seq: 4711,
    type: "incident",
    kind: "rage_click",
    version: 1,
    context: 2,
    t_ms: 81250,
    duration_ms: 800,
    count: 4,
    role: "push_button",
  }),
});

export const settings = (): Settings => ({
  never_apps: { value: ["KeePassXC", "Signal"], locked_by: null },
  policy_apps: { organisation: ORGANISATION, only_named_apps: false, apps: ["*bank*", "Health Portal"] },
  pause_rules: { value: [{ days: [1, 2, 3, 4, 5], from: "12:00", to: "13:00" }], locked_by: null },
  prompts: { value: true, locked_by: null },
  prompts_per_day: { value: 2, locked_by: ORGANISATION },
  never_ask_apps: { value: ["Impress"], locked_by: null },
  language: { value: "system", locked_by: null },
  theme: { value: "system", locked_by: null },
  shortcut: { value: "Ctrl+Alt+F", locked_by: null },
  form_ready: { value: "automatic", locked_by: null },
  autostart: { value: true, locked_by: ORGANISATION },
});

export const health = (): HealthLine[] => [
  { source: "input", ok: true, sentence: { key: "health.ok.input", values: {} } },
  { source: "windows", ok: true, sentence: { key: "health.ok.windows", values: {} } },
  { source: "elements", ok: true, sentence: { key: "health.ok.elements", values: {} } },
  { source: "answers", ok: false, sentence: { key: "health.answers_unavailable", values: { reason: "AT-SPI" } } },
  { source: "notifications", ok: true, sentence: { key: "health.ok.notifications", values: {} } },
  { source: "tray", ok: true, sentence: { key: "health.ok.tray", values: {} } },
  { source: "server", ok: true, sentence: { key: "health.ok.server", values: {} } },
  { source: "storage", ok: true, sentence: { key: "health.ok.storage", values: {} } },
];

export const form = (german: boolean): FeedbackForm => ({
  draft: {
    id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10",
    category: "bug",
    description: "",
    rating: null,
    tags: [],
    steps: [],
    with_picture: true,
    crop: null,
    hidden: [],
    marks: [],
  },
  picture: {
    id: "picture-1",
    size: SIZE,
    source: { id: "window:0x1e00007", name: "Ledger", is_screen: false, size: SIZE },
  },
  app: "Ledger",
  occasion: {
    incident: "rage_click",
    sentence: {
      key: "occasion.rage_click",
      values: { app: "Ledger", element: german ? "Speichern" : "Save", count: "4", time: at(10, 42) },
    },
  },
  steps: (german
    ? [
        [58_000, "Ansicht „Buchung“"],
        [41_000, "Klick auf einen Reiter"],
        [33_000, "Tippen, 12 Tasten"],
        [20_000, "Klick auf eine Schaltfläche"],
        [19_000, "Schnelle Klicks auf „Speichern“ ohne Antwort, 4-mal"],
        [9_000, "Fehler"],
        [4_000, "Klick auf eine Schaltfläche"],
      ]
    : [
        [58_000, "Screen “Booking”"],
        [41_000, "Click on a tab"],
        [33_000, "Typing, 12 keys"],
        [20_000, "Click on a button"],
        [19_000, "Fast clicks on “Save” without an answer, 4 times"],
        [9_000, "Error"],
        [4_000, "Click on a button"],
      ]
  ).map(([before_ms, text], index) => ({
    before_ms: Number(before_ms),
    text: String(text),
    app: "Ledger",
    ...(index === 4 ? { incident: "rage_click" as IncidentKind } : {}),
  })),
  picture_refused: null,
  left_at: null,
});

export const conversations = (german: boolean): Conversation[] => [
  {
    id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10",
    at: at(10, 43),
    category: "bug",
    description: german
      ? "Speichern reagiert nicht, wenn der Lieferant neu ist. Erst nach einem Wechsel des Reiters geht es."
      : "Save doesn't react when the supplier is new. It only works after I change the tab.",
    app: "Ledger",
    state: { state: "sent", at: at(10, 43, 9) },
    messages: [
      {
        id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a11",
        at: at(14, 5),
        author: "Mara Lindt",
        text: german
          ? "Danke, das konnten wir nachstellen. Mit der Version von Montag ist es behoben."
          : "Thank you, we could reproduce it. Monday's version will have it mended.",
      },
    ],
    unread: 1,
    picture_removed: false,
    picture_problem: null,
  },
  {
    id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a20",
    at: at(9, 12),
    category: "idea",
    description: german
      ? "In der Suche die letzten zehn Lieferanten anbieten."
      : "Offer the last ten suppliers in the search.",
    app: "Ledger",
    state: { state: "waiting" },
    messages: [],
    unread: 0,
    picture_removed: false,
    picture_problem: null,
  },
  {
    id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a30",
    at: at(8, 40),
    category: "praise",
    description: german ? "Die neue Druckvorschau ist viel schneller." : "The new print preview is much faster.",
    app: "Writer",
    state: { state: "refused", reason: german ? "Das Bild ist zu groß." : "The screenshot is larger than 10 MB." },
    messages: [],
    unread: 0,
    picture_removed: false,
    picture_problem: null,
  },
  {
    id: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a40",
    at: at(8, 12),
    category: "question",
    description: german ? "Wo stelle ich die Währung um?" : "Where do I change the currency?",
    app: "Calc",
    state: { state: "sent", at: at(8, 13) },
    messages: [],
    unread: 0,
    picture_removed: false,
    picture_problem: german ? "Das Bild ist nicht lesbar." : "The screenshot can't be read.",
  },
];

const frustration = (): ScoreView => {
  const terms = [
    { key: "term.rage_clicks", count: 2 },
    { key: "term.dead_clicks", count: 3 },
    { key: "term.backtracks", count: 1 },
    { key: "term.errors", count: 2 },
    { key: "term.abandoned_tasks", count: 0 },
    { key: "term.undo_storms", count: 1 },
  ];
  const weights = [1, 0.5, 0.4, 0.8, 1, 0.4];
  const x = terms.map((term, index) => (term.count * (weights[index] ?? 0)) / 4.2);
  const sum = x.reduce((total, part) => total + part, 0);
  const value = 2 / (1 + Math.exp(-sum)) - 1;
  return { value, terms: terms.map((term, index) => ({ ...term, adds: ((x[index] ?? 0) / sum) * value })) };
};

export const day = (date: string): Day => {
  const shift = (date === "2026-11-20" ? 0 : -1) * 86_400_000;
  const when = (hour: number, minute: number, second = 0) =>
    new Date(Date.parse(at(hour, minute, second)) + shift).toISOString();
  const span = (app: string, from: [number, number], to: [number, number]) => ({
    app,
    from: when(...from),
    to: when(...to),
  });
  return {
    date,
    days: ["2026-11-20", "2026-11-19", "2026-11-18"],
    begins: when(0, 0),
    spans: [
      span("Thunderbird", [8, 4], [8, 31]),
      span("Ledger", [8, 31], [9, 48]),
      span("Calc", [9, 48], [10, 20]),
      span("Ledger", [10, 20], [11, 52]),
      span("Firefox", [13, 2], [13, 35]),
      span("Ledger", [13, 35], [14, 50]),
      span("Writer", [14, 50], [15, 44]),
      span("Thunderbird", [15, 44], [16, 8]),
      span("Ledger", [16, 8], [17, 40]),
    ],
    incidents: [
      {
        seq: 310,
        kind: "backtrack",
        at: when(9, 5),
        duration_ms: 6200,
        app: "Ledger",
        screen: "",
        sentence: { key: "incident.backtrack", values: { app: "Ledger", seconds: "6.2" } },
      },
      {
        seq: 402,
        kind: "rage_click",
        at: when(10, 42),
        duration_ms: 800,
        app: "Ledger",
        screen: "Invoice entry",
        sentence: {
          key: "incident.rage_click",
          values: { app: "Ledger", count: "4", seconds: "0.8", role: "push_button" },
        },
      },
      {
        seq: 455,
        kind: "dead_click",
        at: when(11, 20),
        duration_ms: 2500,
        app: "Ledger",
        screen: "Invoice entry",
        sentence: {
          key: "incident.dead_click_named",
          values: { app: "Ledger", count: "1", seconds: "2.5", role: "menu_item", element: "Reopen {number}" },
        },
      },
      {
        seq: 533,
        kind: "error_loop",
        at: when(14, 12),
        duration_ms: 31_000,
        app: "Ledger",
        screen: "Booking {number} of {date} {time}",
        sentence: { key: "incident.error_loop", values: { app: "Ledger", count: "3", seconds: "31" } },
      },
      {
        seq: 610,
        kind: "undo_storm",
        at: when(15, 10),
        duration_ms: 3400,
        app: "Writer",
        screen: "",
        sentence: { key: "incident.undo_storm", values: { app: "Writer", count: "6", seconds: "3.4" } },
      },
      {
        seq: 688,
        kind: "abandoned_task",
        at: when(16, 31),
        duration_ms: 900_000,
        app: "Ledger",
        screen: "Booking {number} of {date} {time}",
        sentence: { key: "incident.abandoned_task", values: { app: "Ledger", seconds: "900", minutes: "15" } },
      },
    ],
    sessions: [
      {
        session: 12,
        from: when(8, 4),
        to: when(11, 52),
        active_ms: 42 * 60_000,
        frustration: frustration(),
        efficiency: null,
      },
      {
        session: 13,
        from: when(13, 2),
        to: when(15, 44),
        active_ms: 71 * 60_000,
        frustration: {
          value: 0.104_6,
          terms: [
            { key: "term.errors", count: 1, adds: 0.069_7 },
            { key: "term.undo_storms", count: 1, adds: 0.034_9 },
          ],
        },
        efficiency: {
          value: 0.812_3,
          terms: [
            { key: "term.base", count: 1, adds: 1 },
            { key: "term.time", count: 1.8, adds: -0.121_1 },
            { key: "term.revisits", count: 4, adds: -0.066_6 },
          ],
        },
      },
      {
        session: 14,
        from: when(16, 8),
        to: when(17, 40),
        active_ms: 38 * 60_000,
        frustration: { value: 0.130_8, terms: [{ key: "term.abandoned_tasks", count: 1, adds: 0.130_8 }] },
        efficiency: null,
      },
    ],
    screens: [
      { app: "Ledger", screen: "Invoice entry", visits: 41, dwell_ms: 9_120_000, incidents: 2 },
      { app: "Ledger", screen: "Booking {number} of {date} {time}", visits: 22, dwell_ms: 5_400_000, incidents: 2 },
      { app: "Writer", screen: "", visits: 6, dwell_ms: 3_240_000, incidents: 1 },
      { app: "Thunderbird", screen: "", visits: 9, dwell_ms: 3_060_000, incidents: 0 },
      { app: "Calc", screen: "", visits: 3, dwell_ms: 1_920_000, incidents: 0 },
    ],
  };
};

const KINDS = ["event", "event", "event", "screen", "incident", "event", "session"] as const;

export const waiting = (): RecordView[] =>
  Array.from({ length: 37 }, (_, index) => {
    const kind = KINDS[index % KINDS.length] ?? "event";
    const seq = 690 + index;
    const t_ms = index * 4210;
    const json =
      kind === "incident"
        ? {
            seq,
            type: kind,
            kind: "dead_click",
            version: 1,
            context: 1,
            t_ms,
            duration_ms: 2500,
            count: 1,
            role: "push_button",
          }
        : kind === "event"
          ? {
              seq,
              type: kind,
              kind: "click",
              detail: "left",
              role: "push_button",
              label: "b1946ac92492d234",
              context: 1,
              t_ms,
            }
          : { seq, type: kind, context: 1, t_ms, visits: 3, dwell_ms: 18_220, clicks: 7, keys: 31 };
    return {
      seq,
      at: at(17, 30 + Math.floor(index / 3), (index * 17) % 60),
      kind,
      app: index % 5 === 0 ? "Calc" : "Ledger",
      json: JSON.stringify(json),
      reason: "",
    };
  });

export const refused = (): RecordView[] => [
  {
    seq: 211,
    at: at(8, 15),
    kind: "screen",
    app: "Thunderbird",
    json: JSON.stringify({ seq: 211, type: "screen", context: 0, t_ms: 12, dwell_ms: -4 }),
    reason: "dwell_ms is below zero",
  },
];

export const sent = (): SentBatch[] =>
  Array.from({ length: 9 }, (_, index) => ({
    at: at(17 - index, 52 - index * 3),
    records: 212 - index * 17,
    bytes: 2310 - index * 160,
    refused: index === 8 ? 1 : 0,
  }));

export const looked = (): LookView[] => [
  {
    at: at(14, 4),
    actor: "user:mara.lindt",
    role: "analyst",
    action: "feedback.reply",
    feedback: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10",
  },
  {
    at: at(13, 58),
    actor: "user:mara.lindt",
    role: "analyst",
    action: "screenshot.read",
    feedback: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10",
  },
  {
    at: at(13, 57),
    actor: "user:mara.lindt",
    role: "analyst",
    action: "feedback.update",
    feedback: "0193f0aa-5d0e-7c30-9a35-5b0b2f2f9a10",
  },
];
