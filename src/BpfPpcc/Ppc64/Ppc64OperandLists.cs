using System.Collections.Immutable;
using static BpfPpcc.Ppc64.Ppc64Field;

namespace BpfPpcc.Ppc64;

/// <summary>
/// Operand lists of the table's rows. A name spells the fields in the assembler's order; the first register is written and the others are
/// read, save for stores, comparisons and moves to special registers, which only read. "rw" behind a field: read and written.
/// </summary>
internal static class Ppc64OperandLists
{
    public static readonly ImmutableArray<Ppc64Operand> NoOperands = [];

    public static readonly ImmutableArray<Ppc64Operand> RT_RA0_SI = [Def(RT), Use(RA0), No(SI)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA_SI = [Def(RT), Use(RA), No(SI)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA = [Def(RT), Use(RA)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA_RB = [Def(RT), Use(RA), Use(RB)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA_RB_RC = [Def(RT), Use(RA), Use(RB), Use(RC)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA0_RB_BC = [Def(RT), Use(RA0), Use(RB), Use(BC)];

    public static readonly ImmutableArray<Ppc64Operand> BF_RA_SI = [Def(BF), Use(RA), No(SI)];
    public static readonly ImmutableArray<Ppc64Operand> BF_RA_UI = [Def(BF), Use(RA), No(UI)];
    public static readonly ImmutableArray<Ppc64Operand> BF_RA_RB = [Def(BF), Use(RA), Use(RB)];
    public static readonly ImmutableArray<Ppc64Operand> RT_BFA = [Def(RT), Use(BFA)];
    public static readonly ImmutableArray<Ppc64Operand> RT_BI = [Def(RT), Use(BI)];

    public static readonly ImmutableArray<Ppc64Operand> RA_RS = [Def(RA), Use(RS)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_UI = [Def(RA), Use(RS), No(UI)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_RB = [Def(RA), Use(RS), Use(RB)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_SH5 = [Def(RA), Use(RS), No(SH5)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_SH6 = [Def(RA), Use(RS), No(SH6)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_SH5_MB5_ME5 = [Def(RA), Use(RS), No(SH5), No(MB5), No(ME5)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_RB_MB5_ME5 = [Def(RA), Use(RS), Use(RB), No(MB5), No(ME5)];
    public static readonly ImmutableArray<Ppc64Operand> RArw_RS_SH5_MB5_ME5 = [UseDef(RA), Use(RS), No(SH5), No(MB5), No(ME5)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_SH6_MB6 = [Def(RA), Use(RS), No(SH6), No(MB6)];
    public static readonly ImmutableArray<Ppc64Operand> RA_RS_RB_MB6 = [Def(RA), Use(RS), Use(RB), No(MB6)];
    public static readonly ImmutableArray<Ppc64Operand> RArw_RS_SH6_MB6 = [UseDef(RA), Use(RS), No(SH6), No(MB6)];

    public static readonly ImmutableArray<Ppc64Operand> RT_D_RA0 = [Def(RT), No(D), Use(RA0)];
    public static readonly ImmutableArray<Ppc64Operand> RT_D_RArw = [Def(RT), No(D), UseDef(RA)];
    public static readonly ImmutableArray<Ppc64Operand> RT_DS_RA0 = [Def(RT), No(DS), Use(RA0)];
    public static readonly ImmutableArray<Ppc64Operand> RT_DS_RArw = [Def(RT), No(DS), UseDef(RA)];
    public static readonly ImmutableArray<Ppc64Operand> RT_RA0_RB = [Def(RT), Use(RA0), Use(RB)];
    public static readonly ImmutableArray<Ppc64Operand> RS_D_RA0 = [Use(RS), No(D), Use(RA0)];
    public static readonly ImmutableArray<Ppc64Operand> RS_D_RArw = [Use(RS), No(D), UseDef(RA)];
    public static readonly ImmutableArray<Ppc64Operand> RS_DS_RA0 = [Use(RS), No(DS), Use(RA0)];
    public static readonly ImmutableArray<Ppc64Operand> RS_DS_RArw = [Use(RS), No(DS), UseDef(RA)];
    public static readonly ImmutableArray<Ppc64Operand> RS_RA0_RB = [Use(RS), Use(RA0), Use(RB)];

    public static readonly ImmutableArray<Ppc64Operand> LI_ = [No(LI)];
    public static readonly ImmutableArray<Ppc64Operand> BO_BI_BD = [No(BO), Use(BI), No(BD)];
    public static readonly ImmutableArray<Ppc64Operand> BO_BI = [No(BO), Use(BI)];
    public static readonly ImmutableArray<Ppc64Operand> BT_BA_BB = [Def(BT), Use(BA), Use(BB)];

    public static readonly ImmutableArray<Ppc64Operand> RT_ = [Def(RT)];
    public static readonly ImmutableArray<Ppc64Operand> RS_ = [Use(RS)];
    public static readonly ImmutableArray<Ppc64Operand> RT_FXM = [Def(RT), Use(FXM)];
    public static readonly ImmutableArray<Ppc64Operand> FXM_RS = [Def(FXM), Use(RS)];

    public static readonly ImmutableArray<Ppc64Operand> XT_RA0_RB = [Def(XT), Use(RA0), Use(RB)];
    public static readonly ImmutableArray<Ppc64Operand> XT_XB = [Def(XT), Use(XB)];
    public static readonly ImmutableArray<Ppc64Operand> RA_XS = [Def(RA), Use(XS)];
    public static readonly ImmutableArray<Ppc64Operand> TO_RA_RB = [No(TO), Use(RA), Use(RB)];

    private static Ppc64Operand Def(Ppc64Field field) => new(field, Ppc64Access.Def);

    private static Ppc64Operand Use(Ppc64Field field) => new(field, Ppc64Access.Use);

    private static Ppc64Operand UseDef(Ppc64Field field) => new(field, Ppc64Access.UseDef);

    private static Ppc64Operand No(Ppc64Field field) => new(field, Ppc64Access.None);
}
