import { useCallback, useState } from "react";

export interface Selection {
  ids: ReadonlySet<string>;
  set: (id: string, on: boolean) => void;
  replace: (ids: readonly string[]) => void;
  clear: () => void;
}

/** Which alarms are ticked. Ids that are no longer listed are ignored by whoever reads it. */
export function useSelection(): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const set = useCallback((id: string, on: boolean) => {
    setIds((old) => {
      const next = new Set(old);
      if (on) next.add(id);
      else next.delete(id);
      return next;
    });
  }, []);
  const replace = useCallback((all: readonly string[]) => setIds(new Set(all)), []);
  const clear = useCallback(() => setIds(new Set()), []);
  return { ids, set, replace, clear };
}
