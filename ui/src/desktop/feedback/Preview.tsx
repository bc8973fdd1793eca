import { Modal } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Draft } from "../../ipc/bindings";
import { feedbackPreview, feedbackPreviewPicture } from "../../ipc/client";
import { Exactly, type Source } from "../parts/Exactly";
import { Look } from "../parts/Look";

type Props = { scheme: "light" | "dark"; opened: boolean; onClose: () => void; draft: () => Draft };

/** Exactly what will be sent. */
export function Preview({ scheme, opened, onClose, draft }: Props) {
  const { t } = useTranslation();
  return (
    <Look scheme={scheme}>
      <Modal
        opened={opened}
        onClose={onClose}
        title={t("feedback.preview")}
        size="92%"
        closeButtonProps={{ "aria-label": t("common.close") }}
      >
        {opened && <Content draft={draft} />}
      </Modal>
    </Look>
  );
}

function Content({ draft }: { draft: () => Draft }) {
  // As it is when it is looked at: request and picture are of one moment.
  const [now] = useState(draft);
  const [source] = useState<Source>(() => ({
    request: () => feedbackPreview(now),
    picture: () => feedbackPreviewPicture(now),
  }));
  return <Exactly source={source} marked={now.marks.length > 0} />;
}
