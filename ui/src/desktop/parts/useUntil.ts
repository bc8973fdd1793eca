import { useEffect, useState } from "react";

import { clockTime } from "../../i18n";

/** When something ends, in words that stay true over midnight; empty where it has no end. */
export function useUntil(at: string | null): string {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!at) return;
    const midnight = new Date();
    midnight.setHours(24, 0, 0, 0);
    const timer = setTimeout(() => setNow(Date.now()), midnight.getTime() - Date.now());
    return () => clearTimeout(timer);
  }, [at, now]);
  return at ? clockTime(at) : "";
}
