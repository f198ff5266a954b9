/** The trace that leaves its band: the mark of Forewarn. */
export function Brand({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M2 20h7l3-11 5 16 3.5-10 1.5 5h8"
        fill="none"
        stroke="currentColor"
        strokeWidth={2.6}
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}
