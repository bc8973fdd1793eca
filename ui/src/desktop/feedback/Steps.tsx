import { Checkbox, UnstyledButton } from "@mantine/core";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Down, Right } from "../../design/icons";
import { number } from "../../i18n";
import type { TrailStep } from "../../ipc/bindings";

type Props = { steps: TrailStep[]; attached: TrailStep[]; onChange: (attached: TrailStep[]) => void };

/** The last minute, step by step: nothing of it goes along before the person says so, and each step can be left out. */
export function Steps({ steps, attached, onChange }: Props) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const list = useId();
  if (steps.length === 0) return null;
  const isIn = (step: TrailStep) => attached.some((one) => same(one, step));
  const chosen = steps.filter(isIn).length;
  return (
    <div className="steps">
      <div className="quiet-line">
        <Checkbox
          size="sm"
          checked={chosen === steps.length}
          indeterminate={chosen > 0 && chosen < steps.length}
          onChange={(event) => {
            onChange(event.currentTarget.checked ? steps : []);
            if (event.currentTarget.checked) setOpen(true);
          }}
          label={
            chosen > 0 && chosen < steps.length
              ? t("feedback.steps_some", { chosen: number(chosen), count: steps.length })
              : t("feedback.steps", { count: steps.length })
          }
        />
        <UnstyledButton
          className="opener"
          aria-expanded={open}
          aria-controls={list}
          aria-label={t("feedback.steps_show")}
          onClick={() => setOpen(!open)}
        >
          {open ? <Down size={16} /> : <Right size={16} />}
        </UnstyledButton>
      </div>
      <ul id={list} hidden={!open} className="steps-list">
        {(open ? steps : []).map((step, index) => (
          <li key={index} data-incident={step.incident ?? undefined}>
            <Checkbox
              size="xs"
              checked={isIn(step)}
              // Order is the order of time, whatever the order of the choosing.
              onChange={(event) =>
                onChange(
                  event.currentTarget.checked
                    ? steps.filter((one) => isIn(one) || same(one, step))
                    : attached.filter((one) => !same(one, step)),
                )
              }
              label={
                <>
                  <span className="step-time">
                    {t("feedback.step_before", { seconds: number(Math.round(step.before_ms / 1000)) })}
                  </span>
                  {step.text}
                </>
              }
            />
          </li>
        ))}
      </ul>
    </div>
  );
}

function same(one: TrailStep, other: TrailStep): boolean {
  return one.before_ms === other.before_ms && one.text === other.text;
}
