using System.Collections.Immutable;
using static BpfPpcc.Ppc64.Ppc64Cpu;
using static BpfPpcc.Ppc64.Ppc64Effects;
using static BpfPpcc.Ppc64.Ppc64Forms;
using static BpfPpcc.Ppc64.Ppc64Opcode;
using static BpfPpcc.Ppc64.Ppc64OperandLists;

namespace BpfPpcc.Ppc64;

/// <summary>
/// The one table of Power ISA instructions (Power ISA 3.1, books I and II), in the order of <see cref="Ppc64Opcode"/>. Encoder, decoder,
/// printer and the operand roles of the machine IR derive from it. A new instruction is a member there and a row here.
/// </summary>
public static class Ppc64InstructionTable
{
    /// <summary>The most operands that a row has: the size of a buffer that takes those of any instruction.</summary>
    public const int MaxOperands = 5;

    public static ImmutableArray<Ppc64InstructionInfo> Rows { get; } =
    [
        // Fixed-point arithmetic (book I, 3.3.9).
        new(Addi,     "addi",     DForm(14),            RT_RA0_SI),
        new(Addis,    "addis",    DForm(15),            RT_RA0_SI),
        new(Add,      "add",      XOForm(31, 266),      RT_RA_RB),
        new(AddRc,    "add.",     XOForm(31, 266, Rc),  RT_RA_RB,            DefinesCr0),
        new(Subf,     "subf",     XOForm(31, 40),       RT_RA_RB),
        new(SubfRc,   "subf.",    XOForm(31, 40, Rc),   RT_RA_RB,            DefinesCr0),
        new(Subfic,   "subfic",   DForm(8),             RT_RA_SI,            DefinesCarry),
        new(Addc,     "addc",     XOForm(31, 10),       RT_RA_RB,            DefinesCarry),
        new(Adde,     "adde",     XOForm(31, 138),      RT_RA_RB,            UsesCarry | DefinesCarry),
        new(Addze,    "addze",    XOForm(31, 202),      RT_RA,               UsesCarry | DefinesCarry),
        new(Subfc,    "subfc",    XOForm(31, 8),        RT_RA_RB,            DefinesCarry),
        new(Subfe,    "subfe",    XOForm(31, 136),      RT_RA_RB,            UsesCarry | DefinesCarry),
        new(Neg,      "neg",      XOForm(31, 104),      RT_RA),
        new(NegRc,    "neg.",     XOForm(31, 104, Rc),  RT_RA,               DefinesCr0),
        new(Mulli,    "mulli",    DForm(7),             RT_RA_SI),
        new(Mulld,    "mulld",    XOForm(31, 233),      RT_RA_RB),
        new(Mullw,    "mullw",    XOForm(31, 235),      RT_RA_RB),
        new(Mulhd,    "mulhd",    XOForm(31, 73),       RT_RA_RB),
        new(Mulhdu,   "mulhdu",   XOForm(31, 9),        RT_RA_RB),
        new(Mulhw,    "mulhw",    XOForm(31, 75),       RT_RA_RB),
        new(Mulhwu,   "mulhwu",   XOForm(31, 11),       RT_RA_RB),
        new(Maddld,   "maddld",   VAForm(4, 51),        RT_RA_RB_RC,         None, Power9),
        new(Divd,     "divd",     XOForm(31, 489),      RT_RA_RB),
        new(Divdu,    "divdu",    XOForm(31, 457),      RT_RA_RB),
        new(Divw,     "divw",     XOForm(31, 491),      RT_RA_RB),
        new(Divwu,    "divwu",    XOForm(31, 459),      RT_RA_RB),
        new(Modsd,    "modsd",    XForm(31, 777),       RT_RA_RB,            None, Power9),
        new(Modud,    "modud",    XForm(31, 265),       RT_RA_RB,            None, Power9),
        new(Modsw,    "modsw",    XForm(31, 779),       RT_RA_RB,            None, Power9),
        new(Moduw,    "moduw",    XForm(31, 267),       RT_RA_RB,            None, Power9),

        // Compare and select (3.3.10, 3.3.12, 3.3.18).
        new(Cmpwi,    "cmpwi",    DForm(11),            BF_RA_SI),
        new(Cmpdi,    "cmpdi",    DForm(11) | L,        BF_RA_SI),
        new(Cmpw,     "cmpw",     XForm(31, 0),         BF_RA_RB),
        new(Cmpd,     "cmpd",     XForm(31, 0, L),      BF_RA_RB),
        new(Cmplwi,   "cmplwi",   DForm(10),            BF_RA_UI),
        new(Cmpldi,   "cmpldi",   DForm(10) | L,        BF_RA_UI),
        new(Cmplw,    "cmplw",    XForm(31, 32),        BF_RA_RB),
        new(Cmpld,    "cmpld",    XForm(31, 32, L),     BF_RA_RB),
        new(Isel,     "isel",     AForm(31, 15),        RT_RA0_RB_BC),
        new(Setb,     "setb",     XForm(31, 128),       RT_BFA,              None, Power9),
        new(Setbc,    "setbc",    XForm(31, 384),       RT_BI,               None, Power10),
        new(Setbcr,   "setbcr",   XForm(31, 416),       RT_BI,               None, Power10),
        new(Setnbc,   "setnbc",   XForm(31, 448),       RT_BI,               None, Power10),
        new(Setnbcr,  "setnbcr",  XForm(31, 480),       RT_BI,               None, Power10),

        // Logical (3.3.13).
        new(AndiRc,   "andi.",    DForm(28),            RA_RS_UI,            DefinesCr0),
        new(AndisRc,  "andis.",   DForm(29),            RA_RS_UI,            DefinesCr0),
        new(Ori,      "ori",      DForm(24),            RA_RS_UI),
        new(Oris,     "oris",     DForm(25),            RA_RS_UI),
        new(Xori,     "xori",     DForm(26),            RA_RS_UI),
        new(Xoris,    "xoris",    DForm(27),            RA_RS_UI),
        new(And,      "and",      XForm(31, 28),        RA_RS_RB),
        new(AndRc,    "and.",     XForm(31, 28, Rc),    RA_RS_RB,            DefinesCr0),
        new(Andc,     "andc",     XForm(31, 60),        RA_RS_RB),
        new(AndcRc,   "andc.",    XForm(31, 60, Rc),    RA_RS_RB,            DefinesCr0),
        new(Or,       "or",       XForm(31, 444),       RA_RS_RB),
        new(OrRc,     "or.",      XForm(31, 444, Rc),   RA_RS_RB,            DefinesCr0),
        new(Orc,      "orc",      XForm(31, 412),       RA_RS_RB),
        new(Xor,      "xor",      XForm(31, 316),       RA_RS_RB),
        new(XorRc,    "xor.",     XForm(31, 316, Rc),   RA_RS_RB,            DefinesCr0),
        new(Nand,     "nand",     XForm(31, 476),       RA_RS_RB),
        new(Nor,      "nor",      XForm(31, 124),       RA_RS_RB),
        new(NorRc,    "nor.",     XForm(31, 124, Rc),   RA_RS_RB,            DefinesCr0),
        new(Eqv,      "eqv",      XForm(31, 284),       RA_RS_RB),
        new(Extsb,    "extsb",    XForm(31, 954),       RA_RS),
        new(Extsh,    "extsh",    XForm(31, 922),       RA_RS),
        new(Extsw,    "extsw",    XForm(31, 986),       RA_RS),
        new(ExtswRc,  "extsw.",   XForm(31, 986, Rc),   RA_RS,               DefinesCr0),
        new(Cntlzw,   "cntlzw",   XForm(31, 26),        RA_RS),
        new(Cntlzd,   "cntlzd",   XForm(31, 58),        RA_RS),
        new(Cnttzw,   "cnttzw",   XForm(31, 538),       RA_RS,               None, Power9),
        new(Cnttzd,   "cnttzd",   XForm(31, 570),       RA_RS,               None, Power9),
        new(Popcntw,  "popcntw",  XForm(31, 378),       RA_RS),
        new(Popcntd,  "popcntd",  XForm(31, 506),       RA_RS),
        new(Brh,      "brh",      XForm(31, 219),       RA_RS,               None, Power10),
        new(Brw,      "brw",      XForm(31, 155),       RA_RS,               None, Power10),
        new(Brd,      "brd",      XForm(31, 187),       RA_RS,               None, Power10),

        // Rotate and shift (3.3.14).
        new(Rlwinm,   "rlwinm",   MForm(21),            RA_RS_SH5_MB5_ME5),
        new(RlwinmRc, "rlwinm.",  MForm(21, Rc),        RA_RS_SH5_MB5_ME5,   DefinesCr0),
        new(Rlwnm,    "rlwnm",    MForm(23),            RA_RS_RB_MB5_ME5),
        new(Rlwimi,   "rlwimi",   MForm(20),            RArw_RS_SH5_MB5_ME5),
        new(Rldicl,   "rldicl",   MDForm(30, 0),        RA_RS_SH6_MB6),
        new(RldiclRc, "rldicl.",  MDForm(30, 0, Rc),    RA_RS_SH6_MB6,       DefinesCr0),
        new(Rldicr,   "rldicr",   MDForm(30, 1),        RA_RS_SH6_MB6),
        new(RldicrRc, "rldicr.",  MDForm(30, 1, Rc),    RA_RS_SH6_MB6,       DefinesCr0),
        new(Rldic,    "rldic",    MDForm(30, 2),        RA_RS_SH6_MB6),
        new(RldicRc,  "rldic.",   MDForm(30, 2, Rc),    RA_RS_SH6_MB6,       DefinesCr0),
        new(Rldcl,    "rldcl",    MDSForm(30, 8),       RA_RS_RB_MB6),
        new(Rldcr,    "rldcr",    MDSForm(30, 9),       RA_RS_RB_MB6),
        new(Rldimi,   "rldimi",   MDForm(30, 3),        RArw_RS_SH6_MB6),
        new(Slw,      "slw",      XForm(31, 24),        RA_RS_RB),
        new(Srw,      "srw",      XForm(31, 536),       RA_RS_RB),
        new(Sraw,     "sraw",     XForm(31, 792),       RA_RS_RB,            DefinesCarry),
        new(Srawi,    "srawi",    XForm(31, 824),       RA_RS_SH5,           DefinesCarry),
        new(Sld,      "sld",      XForm(31, 27),        RA_RS_RB),
        new(Srd,      "srd",      XForm(31, 539),       RA_RS_RB),
        new(Srad,     "srad",     XForm(31, 794),       RA_RS_RB,            DefinesCarry),
        new(Sradi,    "sradi",    XSForm(31, 413),      RA_RS_SH6,           DefinesCarry),
        new(Extswsli, "extswsli", XSForm(31, 445),      RA_RS_SH6,           None, Power9),

        // Loads (3.3.2).
        new(Lbz,      "lbz",      DForm(34),            RT_D_RA0,            Loads),
        new(Lbzx,     "lbzx",     XForm(31, 87),        RT_RA0_RB,           Loads),
        new(Lbzu,     "lbzu",     DForm(35),            RT_D_RArw,           Loads),
        new(Lhz,      "lhz",      DForm(40),            RT_D_RA0,            Loads),
        new(Lhzx,     "lhzx",     XForm(31, 279),       RT_RA0_RB,           Loads),
        new(Lhzu,     "lhzu",     DForm(41),            RT_D_RArw,           Loads),
        new(Lha,      "lha",      DForm(42),            RT_D_RA0,            Loads),
        new(Lhax,     "lhax",     XForm(31, 343),       RT_RA0_RB,           Loads),
        new(Lwz,      "lwz",      DForm(32),            RT_D_RA0,            Loads),
        new(Lwzx,     "lwzx",     XForm(31, 23),        RT_RA0_RB,           Loads),
        new(Lwzu,     "lwzu",     DForm(33),            RT_D_RArw,           Loads),
        new(Lwa,      "lwa",      DSForm(58, 2),        RT_DS_RA0,           Loads),
        new(Lwax,     "lwax",     XForm(31, 341),       RT_RA0_RB,           Loads),
        new(Ld,       "ld",       DSForm(58, 0),        RT_DS_RA0,           Loads),
        new(Ldx,      "ldx",      XForm(31, 21),        RT_RA0_RB,           Loads),
        new(Ldu,      "ldu",      DSForm(58, 1),        RT_DS_RArw,          Loads),
        new(Lhbrx,    "lhbrx",    XForm(31, 790),       RT_RA0_RB,           Loads),
        new(Lwbrx,    "lwbrx",    XForm(31, 534),       RT_RA0_RB,           Loads),
        new(Ldbrx,    "ldbrx",    XForm(31, 532),       RT_RA0_RB,           Loads),

        // Stores (3.3.3).
        new(Stb,      "stb",      DForm(38),            RS_D_RA0,            Stores),
        new(Stbx,     "stbx",     XForm(31, 215),       RS_RA0_RB,           Stores),
        new(Stbu,     "stbu",     DForm(39),            RS_D_RArw,           Stores),
        new(Sth,      "sth",      DForm(44),            RS_D_RA0,            Stores),
        new(Sthx,     "sthx",     XForm(31, 407),       RS_RA0_RB,           Stores),
        new(Sthu,     "sthu",     DForm(45),            RS_D_RArw,           Stores),
        new(Stw,      "stw",      DForm(36),            RS_D_RA0,            Stores),
        new(Stwx,     "stwx",     XForm(31, 151),       RS_RA0_RB,           Stores),
        new(Stwu,     "stwu",     DForm(37),            RS_D_RArw,           Stores),
        new(Std,      "std",      DSForm(62, 0),        RS_DS_RA0,           Stores),
        new(Stdx,     "stdx",     XForm(31, 149),       RS_RA0_RB,           Stores),
        new(Stdu,     "stdu",     DSForm(62, 1),        RS_DS_RArw,          Stores),
        new(Sthbrx,   "sthbrx",   XForm(31, 918),       RS_RA0_RB,           Stores),
        new(Stwbrx,   "stwbrx",   XForm(31, 662),       RS_RA0_RB,           Stores),
        new(Stdbrx,   "stdbrx",   XForm(31, 660),       RS_RA0_RB,           Stores),

        // Reservations and barriers (book II, 4.6); the hint EH is 0.
        new(Lbarx,    "lbarx",    XForm(31, 52),        RT_RA0_RB,           Loads),
        new(Lharx,    "lharx",    XForm(31, 116),       RT_RA0_RB,           Loads),
        new(Lwarx,    "lwarx",    XForm(31, 20),        RT_RA0_RB,           Loads),
        new(Ldarx,    "ldarx",    XForm(31, 84),        RT_RA0_RB,           Loads),
        new(Stbcx,    "stbcx.",   XForm(31, 694, Rc),   RS_RA0_RB,           Stores | DefinesCr0),
        new(Sthcx,    "sthcx.",   XForm(31, 726, Rc),   RS_RA0_RB,           Stores | DefinesCr0),
        new(Stwcx,    "stwcx.",   XForm(31, 150, Rc),   RS_RA0_RB,           Stores | DefinesCr0),
        new(Stdcx,    "stdcx.",   XForm(31, 214, Rc),   RS_RA0_RB,           Stores | DefinesCr0),
        new(Sync,     "sync",     XForm(31, 598),       NoOperands,          Ppc64Effects.Barrier),
        new(Lwsync,   "lwsync",   XForm(31, 598, L),    NoOperands,          Ppc64Effects.Barrier),
        new(Isync,    "isync",    XLForm(19, 150),      NoOperands,          Ppc64Effects.Barrier),

        // Branches (book I, 2.4). What BO makes of CTR stands in BranchOptions.
        new(B,        "b",        IForm(18),            LI_,                 Branches),
        new(Bl,       "bl",       IForm(18) | LK,       LI_,                 Branches | DefinesLr),
        new(Bc,       "bc",       BForm(16),            BO_BI_BD,            Branches),
        new(Bclr,     "bclr",     XLForm(19, 16),       BO_BI,               Branches | UsesLr),
        new(Bcctr,    "bcctr",    XLForm(19, 528),      BO_BI,               Branches | UsesCtr),
        new(Bcctrl,   "bcctrl",   XLForm(19, 528, LK),  BO_BI,               Branches | UsesCtr | DefinesLr),

        // Condition register (2.5) and special-purpose registers (3.3.17).
        new(Crand,    "crand",    XLForm(19, 257),      BT_BA_BB),
        new(Crandc,   "crandc",   XLForm(19, 129),      BT_BA_BB),
        new(Cror,     "cror",     XLForm(19, 449),      BT_BA_BB),
        new(Crorc,    "crorc",    XLForm(19, 417),      BT_BA_BB),
        new(Crxor,    "crxor",    XLForm(19, 193),      BT_BA_BB),
        new(Crnor,    "crnor",    XLForm(19, 33),       BT_BA_BB),
        new(Creqv,    "creqv",    XLForm(19, 289),      BT_BA_BB),
        new(Mfcr,     "mfcr",     XForm(31, 19),        RT_),
        new(Mfocrf,   "mfocrf",   XForm(31, 19, One),   RT_FXM),
        new(Mtocrf,   "mtocrf",   XForm(31, 144, One),  FXM_RS),
        new(Mtlr,     "mtlr",     XFXForm(31, 467, 8),  RS_,                 DefinesLr),
        new(Mflr,     "mflr",     XFXForm(31, 339, 8),  RT_,                 UsesLr),
        new(Mtctr,    "mtctr",    XFXForm(31, 467, 9),  RS_,                 DefinesCtr),
        new(Mfctr,    "mfctr",    XFXForm(31, 339, 9),  RT_,                 UsesCtr),

        // Vector-scalar registers (book I, 7.6).
        new(Mtvsrdd,  "mtvsrdd",  XForm(31, 435),       XT_RA0_RB,           None, Power9),
        new(Xxbrd,    "xxbrd",    XX2Form(60, 23, 475), XT_XB,               None, Power9),
        new(Mfvsrd,   "mfvsrd",   XForm(31, 51),        RA_XS),

        // Trap (3.3.11).
        new(Tw,       "tw",       XForm(31, 4),         TO_RA_RB,            Traps),
    ];

    /// <summary>The row of an instruction.</summary>
    public static Ppc64InstructionInfo Row(Ppc64Opcode opcode) => Rows[(int)opcode];
}
