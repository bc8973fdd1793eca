import { useId, useLayoutEffect, type Ref, type RefObject } from "react";
import { useTranslation } from "react-i18next";

type Props = {
  ref: RefObject<HTMLTextAreaElement | null>;
  value: string;
  missing: boolean;
  maxLength: number;
  onChange: (value: string) => void;
};

/**
 * The person's words. No part of a library stands around it: it is the first that is drawn, and has the focus before the rest of the
 * window is there.
 */
export function TextField({ ref, value, missing, maxLength, onChange }: Props) {
  const { t } = useTranslation();
  const id = useId();
  useGrowth(ref, value);
  return (
    <div className="text-field">
      <label htmlFor={id}>{t("feedback.text")}</label>
      <textarea
        ref={ref as Ref<HTMLTextAreaElement>}
        id={id}
        rows={3}
        placeholder={t("feedback.text_hint")}
        maxLength={maxLength}
        autoFocus
        data-autofocus
        value={value}
        aria-invalid={missing || undefined}
        aria-describedby={missing ? `${id}-missing` : undefined}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      {missing && (
        <p className="field-error" id={`${id}-missing`} role="alert">
          {t("feedback.text_missing")}
        </p>
      )}
    </div>
  );
}

/** The field is as high as its words, up to the height that the style sheet allows. */
function useGrowth(ref: RefObject<HTMLTextAreaElement | null>, value: string) {
  useLayoutEffect(() => {
    const field = ref.current;
    if (!field) return;
    const grow = () => {
      if (field.value === "") {
        // Its rows say it: nothing has to be laid out for that.
        field.style.height = "";
        return;
      }
      const around = field.closest(".say-scroll");
      const scrolled = around?.scrollTop ?? 0;
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
      if (around) around.scrollTop = scrolled;
    };
    grow();
    window.addEventListener("resize", grow);
    return () => window.removeEventListener("resize", grow);
  }, [ref, value]);
}
