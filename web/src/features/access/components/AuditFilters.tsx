import { Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import type { AuditFilter } from "@/api/types";
import { AUDIT_ACTIONS, deedWords, fieldOf, timeOf } from "../audit-words";
import classes from "./Access.module.css";

interface AuditFiltersProps {
  filter: AuditFilter;
  onFilter: (change: AuditFilter) => void;
}

const TYPING_MS = 350;

/** Which deeds are listed: what, by whom, about what, when. */
export function AuditFilters({ filter, onFilter }: AuditFiltersProps) {
  return (
    <div className={classes.filters} role="search" aria-label="Audit log">
      <Select
        label="Deed"
        placeholder="Any"
        clearable
        searchable
        value={filter.action ?? null}
        onChange={(value) => onFilter({ action: value ?? undefined })}
        data={AUDIT_ACTIONS.map((value) => ({ value, label: deedWords(value) }))}
      />
      <Typed label="By" placeholder="Anybody" value={filter.actor} onChange={(actor) => onFilter({ actor })} />
      <Typed label="Text" placeholder="In target or reason" value={filter.text} onChange={(text) => onFilter({ text })} />
      <TextInput
        type="datetime-local"
        label="From"
        value={fieldOf(filter.start)}
        onChange={(e) => onFilter({ start: timeOf(e.currentTarget.value) })}
      />
      <TextInput
        type="datetime-local"
        label="Until"
        value={fieldOf(filter.end)}
        onChange={(e) => onFilter({ end: timeOf(e.currentTarget.value) })}
      />
    </div>
  );
}

interface TypedProps {
  label: string;
  placeholder: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** A text that is looked for once the typing pauses. */
function Typed({ label, placeholder, value, onChange }: TypedProps) {
  const [text, setText] = useState(value ?? "");
  const settle = useDebouncedCallback((typed: string) => onChange(typed.trim() || undefined), TYPING_MS);
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(e) => {
        setText(e.currentTarget.value);
        settle(e.currentTarget.value);
      }}
    />
  );
}
