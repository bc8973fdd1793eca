import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Knot } from "../../design/icons";
import { duration, number, say, timeOfDay, told } from "../../i18n";
import { readable, spoken } from "../../i18n/leftOut";
import type { Day, IncidentView, SessionView } from "../../ipc/bindings";
import { Readable } from "../parts/Readable";
import { bandOf, leftOf, shadesOf, type Band } from "./band";
import { ScoreTerms } from "./ScoreTerms";

/** Whether any of the texts holds what is searched. */
export function matches(search: string, ...texts: string[]): boolean {
  const wanted = search.trim().toLocaleLowerCase();
  return wanted === "" || texts.some((text) => text.toLocaleLowerCase().includes(wanted));
}

/** A day: the band with its knots, the snag that was clicked with its sentence and its score, then sessions and screens. */
export function DayTab({ day, search }: { day: Day; search: string }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<number | null>(null);
  const incidents = day.incidents.filter((one) =>
    matches(search, one.app, readable(one.screen), say(one.sentence), t(`incident_name.${one.kind}`)),
  );
  const screens = day.screens.filter((one) => matches(search, one.app, readable(one.screen)));
  const open = incidents.find((one) => one.seq === chosen) ?? incidents.at(-1) ?? null;

  if (day.spans.length === 0 && day.incidents.length === 0 && day.sessions.length === 0) {
    return (
      <div className="empty">
        <Knot size={40} />
        <h2>{t("knows.day_empty")}</h2>
        <p>{t("knows.day_empty_text")}</p>
      </div>
    );
  }
  return (
    <>
      <DayBand day={day} incidents={incidents} open={open} onOpen={setChosen} />
      {open ? (
        <Snag incident={open} session={sessionOf(day, open)} />
      ) : (
        <p className="quiet no-snags">
          {search.trim() === "" ? t("knows.no_snags") : t("knows.nothing_found", { search })}
        </p>
      )}
      {incidents.length > 1 && (
        <section aria-labelledby="snags">
          <h2 id="snags">{t("knows.snags", { count: incidents.length })}</h2>
          <ul className="snag-list">
            {incidents.map((one) => (
              <li key={one.seq}>
                <button
                  type="button"
                  className="snag-line"
                  aria-pressed={one === open}
                  onClick={() => setChosen(one.seq)}
                >
                  <span className="snag-time">{timeOfDay(one.at)}</span>
                  <span>
                    <Readable text={told(one.sentence)} />
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {day.sessions.length > 0 && search.trim() === "" && (
        <section aria-labelledby="sessions">
          <h2 id="sessions">{t("knows.sessions")}</h2>
          <div className="sessions">
            {day.sessions.map((one) => (
              <Session key={one.session} session={one} />
            ))}
          </div>
        </section>
      )}
      {screens.length > 0 && (
        <section aria-labelledby="screens">
          <h2 id="screens">{t("knows.screens")}</h2>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("knows.app")}</th>
                <th scope="col">{t("knows.screen")}</th>
                <th scope="col" className="num">
                  {t("knows.visits")}
                </th>
                <th scope="col" className="num">
                  {t("knows.open_for")}
                </th>
                <th scope="col" className="num">
                  {t("knows.snags_short")}
                </th>
              </tr>
            </thead>
            <tbody>
              {screens.map((one, index) => (
                <tr key={index}>
                  <td>{one.app}</td>
                  <td>
                    {one.screen ? (
                      <Readable text={one.screen} />
                    ) : (
                      <span className="quiet">{t("knows.screen_unknown")}</span>
                    )}
                  </td>
                  <td className="num">{number(one.visits)}</td>
                  <td className="num">{duration(one.dwell_ms)}</td>
                  <td className="num">{number(one.incidents)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

function sessionOf(day: Day, incident: IncidentView): SessionView | null {
  const at = Date.parse(incident.at);
  return day.sessions.find((one) => Date.parse(one.from) <= at && at <= Date.parse(one.to)) ?? null;
}

function DayBand({
  day,
  incidents,
  open,
  onOpen,
}: {
  day: Day;
  incidents: IncidentView[];
  open: IncidentView | null;
  onOpen: (seq: number) => void;
}) {
  const { t } = useTranslation();
  const band: Band = bandOf(day);
  const apps = [...shadesOf(day.spans)];
  return (
    <section className="band" aria-label={t("knows.band")}>
      <div className="band-knots">
        {incidents.map((one) => (
          <button
            key={one.seq}
            type="button"
            className="knot"
            style={{ left: `${leftOf(band, one.at)}%` }}
            aria-pressed={one === open}
            aria-label={t("knows.knot", { time: timeOfDay(one.at), sentence: spoken(told(one.sentence)) })}
            title={t(`incident_name.${one.kind}`)}
            onClick={() => onOpen(one.seq)}
          >
            <Knot size={24} />
          </button>
        ))}
      </div>
      <div
        className="band-row"
        role="img"
        aria-label={t("knows.band_text", { apps: apps.map(([app]) => app).join(", ") })}
      >
        {band.stretches.map((one, index) => (
          <span
            key={index}
            className="stretch"
            data-shade={one.shade}
            style={{ left: `${one.left}%`, width: `${one.width}%` }}
            title={`${one.app} · ${timeOfDay(one.from)}–${timeOfDay(one.to)}`}
          >
            {one.width > 8 && <span>{one.app}</span>}
          </span>
        ))}
      </div>
      <div className="band-hours" aria-hidden="true">
        {band.hours.map(({ at, left }) => (
          <span key={at} style={{ left: `${left}%` }}>
            {timeOfDay(new Date(at).toISOString())}
          </span>
        ))}
      </div>
      <ul className="legend" aria-label={t("knows.legend")}>
        {apps.map(([app, shade]) => (
          <li key={app}>
            <span className="swatch" data-shade={shade} aria-hidden="true" />
            {app}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What happened, in a sentence; beside it what it did to the session's score. */
function Snag({ incident, session }: { incident: IncidentView; session: SessionView | null }) {
  const { t } = useTranslation();
  return (
    <section className="snag" aria-live="polite" aria-label={t("knows.snag")}>
      <div className="snag-said">
        <h2>
          <Knot size={20} /> {t(`incident_name.${incident.kind}`)}
        </h2>
        <p className="snag-sentence">
          <Readable text={told(incident.sentence)} />
        </p>
        <p className="quiet">
          {timeOfDay(incident.at)} · {incident.app} ·{" "}
          {incident.screen ? <Readable text={incident.screen} /> : t("knows.screen_unknown")} ·{" "}
          {duration(incident.duration_ms)}
        </p>
      </div>
      <div className="snag-score">
        {session ? (
          <ScoreTerms score={session.frustration} name={t("knows.frustration")} />
        ) : (
          <p className="quiet">{t("knows.session_open")}</p>
        )}
      </div>
    </section>
  );
}

function Session({ session }: { session: SessionView }) {
  const { t } = useTranslation();
  return (
    <article className="session">
      <h3>
        {t("knows.session", { from: timeOfDay(session.from), to: timeOfDay(session.to) })}
        <span className="quiet"> · {t("knows.active", { duration: duration(session.active_ms) })}</span>
      </h3>
      <ScoreTerms score={session.frustration} name={t("knows.frustration")} />
      {session.efficiency ? (
        <ScoreTerms score={session.efficiency} name={t("knows.efficiency")} />
      ) : (
        <p className="quiet">{t("knows.no_efficiency")}</p>
      )}
    </article>
  );
}
