import { Button, NativeSelect, SegmentedControl, Switch } from "@mantine/core";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";

import type { FormReady, Overview, Sentence, Settings, SettingsChange, Theme } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { useAnnounce } from "../parts/Announcer";
import { appsLookedAt } from "../parts/appsLookedAt";
import { Problem } from "../parts/Problem";
import { TagsField } from "../parts/TagsField";
import type { WindowProps } from "../ask";
import { Health } from "./Health";
import { Locked, LockedBy, Section, type Change } from "./parts";
import { PauseNow, PauseRules } from "./Pause";
import { Shortcut } from "./Shortcut";
import "./settings.css";

/** One scroll, no tabs. What IT set is shown with a lock, and who set it. */
export function SettingsWindow({ overview, settings, failure, onSettings }: WindowProps) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const [problem, setProblem] = useState<Sentence | null>(null);

  const change = useCallback(
    async (wanted: SettingsChange) => {
      try {
        onSettings(await client.changeSettings(wanted));
        setProblem(null);
        announce(t("settings.saved"));
      } catch (thrown) {
        setProblem(client.asSentence(thrown));
      }
    },
    [announce, onSettings, t],
  );

  return (
    <main className="page settings">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
      <div className="page-scroll" tabIndex={0} role="region" aria-label={t("window.settings")}>
        <h1>{t("window.settings")}</h1>
        {!settings && <Problem sentence={client.asSentence(failure)} />}
        {problem && (
          <div className="sticky">
            <Problem sentence={problem} kind="danger" />
          </div>
        )}
        {settings && <Sections settings={settings} overview={overview} change={change} onProblem={setProblem} />}
        <Health overview={overview} />
      </div>
    </main>
  );
}

function Sections({
  settings,
  overview,
  change,
  onProblem,
}: {
  settings: Settings;
  overview: Overview | null;
  change: Change;
  onProblem: (sentence: Sentence) => void;
}) {
  const { t } = useTranslation();
  return (
    <>
      <Section title={t("settings.pause.title")} text={t("settings.pause.text")}>
        <PauseNow overview={overview} onProblem={onProblem} />
        <PauseRules setting={settings.pause_rules} change={change} />
      </Section>

      <Section title={t("settings.never.title")} text={t("settings.never.text")}>
        {areDamaged(overview) && (
          <Problem sentence={{ key: "settings.never.damaged", values: {} }}>
            <Button size="xs" onClick={() => void change(confirmed(settings))}>
              {t("settings.never.right")}
            </Button>
          </Problem>
        )}
        <Locked setting={settings.never_apps}>
          <TagsField
            label={t("settings.never.title")}
            hideLabel
            placeholder={t("settings.never.hint")}
            empty={t("settings.never.none")}
            value={settings.never_apps.value}
            disabled={settings.never_apps.locked_by !== null}
            onChange={(never_apps) => void change({ never_apps })}
          />
        </Locked>
        {settings.policy_apps && (
          <div className="setting" data-locked>
            <p>{appsLookedAt(t, settings.policy_apps)}</p>
            <LockedBy organisation={settings.policy_apps.organisation} />
          </div>
        )}
      </Section>

      <Section title={t("settings.ask.title")} text={t("settings.ask.text")}>
        <Locked setting={settings.prompts}>
          <Switch
            label={t("settings.ask.prompts")}
            checked={settings.prompts.value}
            disabled={settings.prompts.locked_by !== null}
            onChange={(event) => void change({ prompts: event.currentTarget.checked })}
          />
        </Locked>
        <Locked setting={settings.prompts_per_day}>
          <NativeSelect
            label={t("settings.ask.per_day")}
            value={String(settings.prompts_per_day.value)}
            disabled={settings.prompts_per_day.locked_by !== null || !settings.prompts.value}
            onChange={(event) => void change({ prompts_per_day: Number(event.currentTarget.value) })}
            data={[1, 2, 3].map((count) => ({ value: String(count), label: t("settings.ask.times", { count }) }))}
          />
        </Locked>
        <Locked setting={settings.never_ask_apps}>
          <TagsField
            label={t("settings.ask.never")}
            placeholder={t("settings.never.hint")}
            empty={t("settings.never.none")}
            value={settings.never_ask_apps.value}
            disabled={settings.never_ask_apps.locked_by !== null}
            onChange={(never_ask_apps) => void change({ never_ask_apps })}
          />
        </Locked>
      </Section>

      <Section title={t("settings.shortcut.title")} text={t("settings.shortcut.text")}>
        <Locked setting={settings.shortcut}>
          <Shortcut setting={settings.shortcut} change={change} />
        </Locked>
        <Locked setting={settings.form_ready}>
          <NativeSelect
            label={t("settings.shortcut.ready")}
            description={t("settings.shortcut.ready_text")}
            value={settings.form_ready.value}
            disabled={settings.form_ready.locked_by !== null}
            onChange={(event) => void change({ form_ready: event.currentTarget.value as FormReady })}
            data={(["automatic", "always", "never"] as const).map((value) => ({
              value,
              label: t(`settings.shortcut.ready_${value}`),
            }))}
          />
        </Locked>
      </Section>

      <Section title={t("settings.look.title")}>
        <Locked setting={settings.language}>
          <NativeSelect
            label={t("settings.look.language")}
            value={settings.language.value}
            disabled={settings.language.locked_by !== null}
            onChange={(event) => void change({ language: event.currentTarget.value })}
            data={[
              { value: "system", label: t("settings.look.language_system") },
              // A language is named in itself: whoever needs it can read it.
              { value: "en", label: "English" },
              { value: "de", label: "Deutsch" },
            ]}
          />
        </Locked>
        <Locked setting={settings.theme}>
          <div className="field">
            <span id="theme-label">{t("settings.look.theme")}</span>
            <SegmentedControl
              aria-labelledby="theme-label"
              value={settings.theme.value}
              disabled={settings.theme.locked_by !== null}
              onChange={(theme) => void change({ theme: theme as Theme })}
              data={(["system", "light", "dark"] as const).map((value) => ({
                value,
                label: t(`settings.look.${value}`),
              }))}
            />
          </div>
        </Locked>
      </Section>

      <Section title={t("settings.start.title")}>
        <Locked setting={settings.autostart}>
          <Switch
            label={t("settings.start.autostart")}
            checked={settings.autostart.value}
            disabled={settings.autostart.locked_by !== null}
            onChange={(event) => void change({ autostart: event.currentTarget.checked })}
          />
        </Locked>
      </Section>
    </>
  );
}

/** Whether what the person set before can't be read; which programs never is what matters of it. */
function areDamaged(overview: Overview | null): boolean {
  const capture = overview?.capture;
  return capture?.state === "unavailable" && capture.reason.key === "problem.settings_damaged";
}

/** What keeps things from being noticed, as it is shown; what IT set is IT's to say. */
function confirmed({ never_apps, pause_rules }: Settings): SettingsChange {
  return {
    ...(never_apps.locked_by === null && { never_apps: never_apps.value }),
    ...(pause_rules.locked_by === null && { pause_rules: pause_rules.value }),
  };
}
