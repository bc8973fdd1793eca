import { useTranslation } from "react-i18next";

import { closeWindow } from "../../ipc/client";
import { Confirm } from "../parts/Confirm";
import { Look } from "../parts/Look";

type Props = { scheme: "light" | "dark"; opened: boolean; onClose: () => void; act: () => Promise<unknown> };

/** Asks before words, tags or marks are thrown away. */
export function Discard({ scheme, opened, onClose, act }: Props) {
  const { t } = useTranslation();
  return (
    <Look scheme={scheme}>
      <Confirm
        opened={opened}
        onClose={onClose}
        title={t("feedback.discard_title")}
        text={t("feedback.discard_text")}
        action={t("feedback.discard")}
        done={t("feedback.discarded")}
        act={act}
        onDone={() => void closeWindow()}
      />
    </Look>
  );
}
