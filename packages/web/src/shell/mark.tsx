/** The mark: folded sheets, sewn along the spine. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
      <path
        class="mark-back"
        d="M16 8C12.6 5.6 8.2 4.9 3.5 5.5v19c4.7-.6 9.1.1 12.5 2.5 3.400-2.400 7.800-3.100 12.500-2.500v-19C23.800 4.900 19.400 5.600 16 8Z"
      />
      <path
        class="mark-fold"
        d="M7 10.200c2.200-.1 4.200.200 6 1M7 15c2.200-.1 4.200.200 6 1M25 10.200c-2.200-.1-4.200.200-6 1M25 15c-2.200-.1-4.200.200-6 1"
      />
      <path class="mark-thread" d="M16 9.500v16" />
    </svg>
  );
}
