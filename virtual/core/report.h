// What the chip says, and injected faults. Every message says that the chip is virtual.
#pragma once

#include "chip.h"
#include "machine.h"

namespace anychip {

/** Keeps a message, which `lastMessage` gives until the next; one of ANYCHIP_DEBUG=2 or more is printed too. Returns the rule. */
Rule say(Rule rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *lastMessage();
const char *ruleName(Rule rule);

/** Whether this use of `what` (malloc, launch, hang) is the one that ANYCHIP_FAULT=what:n[,what:n] asks to fail. Counts uses from 1. */
bool isFaulty(const char *what);

}  // namespace anychip
