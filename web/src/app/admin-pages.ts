import type { Action } from "@/api/types";

/** The tabs of the admin page and what each needs. */
export const ADMIN_PAGES = [
  { to: "/admin", label: "Operation", needs: "site.read" },
  { to: "/admin/gateways", label: "Gateways", needs: "site.read" },
  { to: "/admin/people", label: "People", needs: "access.read" },
  { to: "/admin/machines", label: "Machines", needs: "access.read" },
  { to: "/admin/roles", label: "Roles", needs: "access.read" },
  { to: "/admin/sessions", label: "Sessions", needs: "access.read" },
  { to: "/admin/audit", label: "Audit", needs: "audit.read" },
] as const satisfies readonly { to: string; label: string; needs: Action }[];

export function adminPages(may: (action: Action) => boolean): (typeof ADMIN_PAGES)[number][] {
  return ADMIN_PAGES.filter(({ needs }) => may(needs));
}
