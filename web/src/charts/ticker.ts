type Draw = () => void;

/** Charts that want a redraw are drawn together, in one animation frame, at most every `MIN_MS`. */
const MIN_MS = 250;

const waiting = new Set<Draw>();
let timer: ReturnType<typeof setTimeout> | undefined;
let lastFrame = -Infinity;

function frame(): void {
  lastFrame = performance.now();
  timer = undefined;
  const due = [...waiting];
  waiting.clear();
  for (const draw of due) draw();
}

export function requestDraw(draw: Draw): void {
  waiting.add(draw);
  if (timer !== undefined) return;
  const wait = Math.max(0, lastFrame + MIN_MS - performance.now());
  timer = setTimeout(() => requestAnimationFrame(frame), wait);
}

export function cancelDraw(draw: Draw): void {
  waiting.delete(draw);
}
