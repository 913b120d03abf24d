/* SPDX-License-Identifier: MIT */
/*
 * TLR_APART: has a function that is rarely called stay a function of its own,
 * though a compiler would make it a part of its caller. One with an array or
 * the address of a variable has its stack guarded, and a caller that it became
 * a part of would pay for that each time: about 8 instructions.
 */
#ifndef TLR_APART_H
#define TLR_APART_H

#if defined(__GNUC__)
#define TLR_APART __attribute__((noinline))
#elif defined(_MSC_VER)
#define TLR_APART __declspec(noinline)
#else
#define TLR_APART
#endif

#endif
