// What `turnout --version` says; package.json says it, too, and a test compares them.
export const VERSION = '0.1.0';
