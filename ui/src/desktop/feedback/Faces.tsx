import { useId } from "react";
import { useTranslation } from "react-i18next";

import { Face } from "../../design/icons";

const VALUES = [1, 2, 3, 4, 5] as const;

/** Five faces with words. A second press on the same takes it back. */
export function Faces({ value, onChange }: { value: number | null; onChange: (value: number | null) => void }) {
  const { t } = useTranslation();
  const name = useId();
  return (
    <fieldset className="faces">
      <legend className="sr-only">{t("feedback.rating")}</legend>
      <div className="faces-row" role="presentation">
        {VALUES.map((one) => (
          <label key={one} className="face">
            <input
              type="radio"
              name={name}
              value={one}
              checked={value === one}
              onChange={() => onChange(one)}
              onClick={() => value === one && onChange(null)}
            />
            <Face value={one} />
            <span>{t(`feedback.face.${one}`)}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
