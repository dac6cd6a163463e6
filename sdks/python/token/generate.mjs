// Makes dragoman_token/frames_generated.py from dragoman_token/token.ksy.

import { readFileSync, writeFileSync } from "node:fs";
import compiler from "kaitai-struct-compiler";

const layout = JSON.parse(readFileSync("dragoman_token/token.ksy", "utf8"));
const { "token.py": reader } = await compiler.compile("python", layout, null, false);
if (!reader) throw new Error("the compiler makes no token.py of token.ksy");
writeFileSync("dragoman_token/frames_generated.py", reader);
