import { Button, UnstyledButton } from "@mantine/core";
import { useCallback, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import {
  Bug,
  Click,
  Clock,
  Eye,
  Hash,
  Keyboard,
  Lock,
  People,
  Person,
  PictureOff,
  Screen,
  Server,
  Text,
  Trash,
  Down,
  Right,
  type IconProps,
} from "../../design/icons";
import { dateTime, say } from "../../i18n";
import type { FirstRun, Sensitivity, Sentence } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { appsLookedAt } from "../parts/appsLookedAt";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import type { WindowProps } from "../ask";
import "./first-run.css";

type Line = { key: string; Icon: (props: IconProps) => ReactNode };

const NOTICED: Line[] = [
  { key: "clicks", Icon: Click },
  { key: "screens", Icon: Screen },
  { key: "pace", Icon: Clock },
  { key: "errors", Icon: Bug },
  { key: "keys", Icon: Keyboard },
];
const NEVER: Line[] = [
  { key: "keys", Icon: Keyboard },
  { key: "text", Icon: Text },
  { key: "pictures", Icon: PictureOff },
  { key: "private", Icon: Lock },
  { key: "you", Icon: Person },
];
const WHO: Line[] = [
  { key: "organisation", Icon: Server },
  { key: "groups", Icon: People },
  { key: "hashed", Icon: Hash },
  { key: "kept", Icon: Trash },
  { key: "looked", Icon: Eye },
];

/** What Snag notices, what it never does, who sees it: read before anything is captured. */
export function FirstRunWindow({ overview }: WindowProps) {
  const { t, i18n } = useTranslation();
  // What is collected comes in the person's language.
  const page = useAsked(client.firstRun, i18n.language);
  if (!page.value)
    return (
      <main className="page" aria-busy={!page.problem}>
        {page.problem && <Problem sentence={page.problem} />}
        <h1 hidden>{t("window.first-run")}</h1>
      </main>
    );
  return <Page page={page.value} enrolled={overview?.capture.state !== "not_enrolled"} onRefused={page.again} />;
}

type PageProps = {
  page: FirstRun;
  enrolled: boolean;
  /** What the person decided wasn't taken: the page may say something else by now. */
  onRefused: () => void;
};

function Page({ page, enrolled, onRefused }: PageProps) {
  const { t } = useTranslation();
  const [problem, setProblem] = useState<Sentence | null>(null);
  const [busy, setBusy] = useState(false);
  const organisation = page.organisation || t("common.your_organisation");
  // An organisation of one: whoever made it for themselves is its contact, and no sentence says that they answer themselves.
  const own = page.contact === "you";
  const { k, kept_days: days } = page.policy;

  const then = useCallback(
    async (what: () => Promise<unknown>) => {
      setBusy(true);
      try {
        await what();
        await client.closeWindow();
      } catch (thrown) {
        setProblem(client.asSentence(thrown));
        onRefused();
      } finally {
        setBusy(false);
      }
    },
    [onRefused],
  );

  const column = (name: "noticed" | "never" | "who", lines: Line[]) => (
    <section className="promise" data-name={name} aria-labelledby={`promise-${name}`}>
      <h2 id={`promise-${name}`}>{t(`first_run.${name}.title`)}</h2>
      <ul>
        {lines.map(({ key, Icon }) => (
          <li key={key}>
            <Icon size={20} />
            <span>
              {key === "organisation" && page.server === ""
                ? t("first_run.who.nobody_yet")
                : key === "organisation" && own
                  ? t("first_run.who.own", { server: page.server })
                  : key === "hashed" && page.policy.readable.length > 0
                    ? t("first_run.who.hashed_rules", { count: k })
                    : t(`first_run.${name}.${key}`, {
                        organisation,
                        server: page.server,
                        count: key === "kept" ? days : k,
                      })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );

  return (
    <main className="page first-run">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
      <div className="page-scroll" tabIndex={0} role="region" aria-label={t("window.first-run")}>
        <header>
          <h1>
            {page.widened.length === 0
              ? t("first_run.heading")
              : own
                ? t("first_run.widened_heading_own")
                : t("first_run.widened_heading", { organisation })}
          </h1>
          <p className="lead">{own ? t("first_run.lead_own") : t("first_run.lead", { organisation })}</p>
        </header>

        {!enrolled && <Problem sentence={{ key: "problem.not_enrolled", values: {} }} />}

        {page.widened.length > 0 && (
          <section className="widened" aria-labelledby="widened">
            <h2 id="widened">{t("first_run.widened")}</h2>
            <ul>
              {page.widened.map((one, index) => (
                <li key={index}>{say(one)}</li>
              ))}
            </ul>
          </section>
        )}

        <div className="promises">
          {column("noticed", NOTICED)}
          {column("never", NEVER)}
          {column("who", WHO)}
        </div>

        <div className="beneath">
          <section className="policy" aria-labelledby="policy">
            <h2 id="policy">{own ? t("first_run.policy.title_own") : t("first_run.policy.title", { organisation })}</h2>
            <ul>
              <li>{appsLookedAt(t, page.policy)}</li>
              <li>{t("first_run.policy.k", { count: k })}</li>
              <li>{t("first_run.policy.kept", { count: days })}</li>
              {page.policy.readable.map(([app, pattern]) => (
                <li key={`${app} ${pattern}`}>{t("first_run.policy.readable", { app, pattern })}</li>
              ))}
            </ul>
          </section>
          <Example json={page.example} />
        </div>

        <Everything page={page} />
      </div>

      <footer className="page-foot">
        {problem && <Problem sentence={problem} kind="danger" />}
        <p className="quiet">
          {own
            ? t("first_run.contact_own")
            : page.contact
              ? t("first_run.contact", { contact: page.contact, organisation })
              : t("first_run.contact_none", { organisation })}
        </p>
        <div className="equal">
          {!enrolled || (page.acknowledged_at && page.widened.length === 0) ? (
            <>
              {page.acknowledged_at && (
                <span className="quiet">{t("first_run.read_at", { at: dateTime(page.acknowledged_at) })}</span>
              )}
              <Button variant="default" onClick={() => void client.closeWindow()}>
                {t("common.close")}
              </Button>
            </>
          ) : (
            <>
              {/* Of equal weight: the same size, the same colours, side by side. */}
              <Button variant="default" disabled={busy} onClick={() => void then(client.decline)}>
                {t("first_run.not_now")}
              </Button>
              <Button
                variant="default"
                disabled={busy}
                onClick={() => void then(() => client.acknowledge(page.version))}
              >
                {t("first_run.start")}
              </Button>
            </>
          )}
        </div>
      </footer>
    </main>
  );
}

/** A record as it would leave: in words, and as it is on the wire. */
function Example({ json }: { json: string }) {
  const { t } = useTranslation();
  return (
    <section className="example" aria-labelledby="example">
      <h2 id="example">{t("first_run.example.title")}</h2>
      <p>{inWords(json, t)}</p>
      <pre>{spaced(json)}</pre>
    </section>
  );
}

/** On few lines, so that the example needs no scrolling. */
function spaced(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 1).replace(/\n\s*/g, " ");
  } catch {
    return json;
  }
}

/** The example's own numbers in a sentence, so that words and JSON say the same. */
function inWords(json: string, t: (key: string, values?: Record<string, unknown>) => string): string {
  let record: unknown;
  try {
    record = JSON.parse(json);
  } catch {
    return t("first_run.example.plain");
  }
  const incident = find(record);
  if (!incident) return t("first_run.example.plain");
  const said = say({
    key: `incident.${incident.kind}`,
    values: {
      app: t("first_run.example.app"),
      count: String(incident.count),
      role: incident.role ?? "",
      seconds: (incident.duration_ms / 1000).toFixed(1),
      minutes: String(Math.round(incident.duration_ms / 60_000)),
    },
  });
  return t("first_run.example.words", { sentence: said });
}

type Incident = { kind: string; count: number; role?: string; duration_ms: number };

/** The incident in a batch, in a list of records or by itself. */
function find(value: unknown): Incident | null {
  if (typeof value !== "object" || value === null) return null;
  if ("kind" in value && "count" in value && "duration_ms" in value && "version" in value) return value as Incident;
  for (const inner of Object.values(value)) {
    const found = find(inner);
    if (found) return found;
  }
  return null;
}

const ORDER: Sensitivity[] = ["said", "text", "behaviour", "technical"];

/** The page that `data.yaml` writes: each datum, why it is needed and how long it is kept. */
function Everything({ page }: { page: FirstRun }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const data = [...page.data].sort((one, other) => ORDER.indexOf(one.sensitivity) - ORDER.indexOf(other.sensitivity));
  return (
    <section className="everything">
      <UnstyledButton className="opener" aria-expanded={open} aria-controls="everything" onClick={() => setOpen(!open)}>
        {open ? <Down size={16} /> : <Right size={16} />}
        <span>{t("first_run.everything", { count: page.data.length })}</span>
      </UnstyledButton>
      <div id="everything" hidden={!open}>
        <h3>{t("first_run.never.title")}</h3>
        <ul className="plain-list">
          {page.never.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t("first_run.data.what")}</th>
              <th scope="col">{t("first_run.data.why")}</th>
              <th scope="col">{t("first_run.data.sensitivity")}</th>
              <th scope="col">{t("first_run.data.kept")}</th>
            </tr>
          </thead>
          <tbody>
            {data.map((datum) => (
              <tr key={datum.name}>
                <td>
                  {datum.what}
                  <code>{datum.name}</code>
                </td>
                <td>{datum.purpose}</td>
                <td>{t(`first_run.sensitivity.${datum.sensitivity}`)}</td>
                <td className="kept">
                  {datum.expires_days > 0
                    ? t("common.days", { count: datum.expires_days })
                    : t("first_run.data.kept_enrolled")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
