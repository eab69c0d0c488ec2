import { config } from 'zod';

// Imported before any schema is made: zod would else try to make code from text, which the page's policy forbids and browsers report.
config({ jitless: true });
