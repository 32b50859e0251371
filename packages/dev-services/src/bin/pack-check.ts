#!/usr/bin/env node
import { checkPacking } from '../check-packing.ts'

const { failed } = await checkPacking()
process.exitCode = failed === 0 ? 0 : 1
