import type { TFunction } from "i18next";

import type { PolicyApps } from "../../ipc/bindings";

/** Which programs a policy has looked at, in a sentence. */
export function appsLookedAt(t: TFunction, { only_named_apps, apps }: Omit<PolicyApps, "organisation">): string {
  if (apps.length === 0) return t(only_named_apps ? "first_run.policy.no_apps" : "first_run.policy.all_apps");
  return t(only_named_apps ? "first_run.policy.only_apps" : "first_run.policy.all_but", { apps: apps.join(", ") });
}
