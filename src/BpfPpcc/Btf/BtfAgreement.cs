using System.Collections.Immutable;

namespace BpfPpcc.Btf;

/// <summary>
/// Whether two declarations of one symbol in different objects can mean the same thing. It is what libbpf's linker asks for: qualifiers and
/// typedefs do not count, integers agree by size, arrays by their elements, and behind a pointer structs agree by name.
/// </summary>
public static class BtfAgreement
{
    /// <summary>Structs that contain themselves by value are made up; deeper ones than this are not looked into.</summary>
    private const int MaximumDepth = 32;

    /// <summary>Members that one question may cost: types that are made up fan out without measure.</summary>
    private const int MaximumSteps = 100_000;

    public static bool Agree(BtfTypes types1, uint id1, BtfTypes types2, uint id2)
    {
        int steps = MaximumSteps;
        return new Comparison(types1, types2).Agree(id1, id2, isExact: true, MaximumDepth, ref steps);
    }

    private readonly record struct Comparison(BtfTypes Types1, BtfTypes Types2)
    {
        public bool Agree(uint id1, uint id2, bool isExact, int depth, ref int steps)
        {
            if (depth == 0 || --steps < 0)
                return true;
            BtfType type1 = Types1.SkipModifiers(id1), type2 = Types2.SkipModifiers(id2);
            if (!isExact && (type1.Kind == BtfKind.FWD || type2.Kind == BtfKind.FWD))
                return CanBeForward(type1) && CanBeForward(type2) && HaveOneName(type1, type2);
            if (type1.Kind != type2.Kind)
                return false;
            switch (type1.Kind)
            {
                case BtfKind.VOID:
                    return true;
                case BtfKind.INT or BtfKind.FLOAT:
                    return type1.SizeOrType == type2.SizeOrType;
                case BtfKind.ENUM or BtfKind.ENUM64:
                    return type1.SizeOrType == type2.SizeOrType && HaveOneName(type1, type2);
                case BtfKind.FWD or BtfKind.DATASEC:
                    return HaveOneName(type1, type2);
                case BtfKind.PTR:
                    return Agree(type1.SizeOrType, type2.SizeOrType, isExact: false, depth - 1, ref steps);
                case BtfKind.ARRAY:
                    return Agree(Types1.ArrayOf(type1).ElementType, Types2.ArrayOf(type2).ElementType, isExact, depth - 1, ref steps);
                case BtfKind.FUNC or BtfKind.VAR:
                    return HaveOneName(type1, type2) && Agree(type1.SizeOrType, type2.SizeOrType, isExact, depth - 1, ref steps);
                case BtfKind.FUNC_PROTO:
                    return PrototypesAgree(type1, type2, isExact, depth, ref steps);
                case BtfKind.STRUCT or BtfKind.UNION:
                    return HaveOneName(type1, type2) && (!isExact || MembersAgree(type1, type2, depth, ref steps));
                case BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG or BtfKind.DECL_TAG:
                    return true;
            }

            return true;
        }

        private bool PrototypesAgree(BtfType type1, BtfType type2, bool isExact, int depth, ref int steps)
        {
            if (type1.Length != type2.Length || !Agree(type1.SizeOrType, type2.SizeOrType, isExact, depth - 1, ref steps))
                return false;
            ImmutableArray<BtfParameter> parameters1 = Types1.ParametersOf(type1), parameters2 = Types2.ParametersOf(type2);
            for (int i = 0; i < parameters1.Length; i++)
            {
                if (!Agree(parameters1[i].Type, parameters2[i].Type, isExact, depth - 1, ref steps))
                    return false;
            }

            return true;
        }

        private bool MembersAgree(BtfType type1, BtfType type2, int depth, ref int steps)
        {
            if (type1.Length != type2.Length || type1.SizeOrType != type2.SizeOrType)
                return false;
            ImmutableArray<BtfMember> members1 = Types1.MembersOf(type1), members2 = Types2.MembersOf(type2);
            for (int i = 0; i < members1.Length; i++)
            {
                BtfMember member1 = members1[i], member2 = members2[i];
                if (member1.Name != member2.Name || member1.BitOffset != member2.BitOffset || member1.BitFieldSize != member2.BitFieldSize
                    || !Agree(member1.Type, member2.Type, isExact: true, depth - 1, ref steps))
                {
                    return false;
                }
            }

            return true;
        }

        private bool HaveOneName(BtfType type1, BtfType type2) => Types1.NameOf(type1.Id) == Types2.NameOf(type2.Id);

        private static bool CanBeForward(BtfType type) => type.IsComposite || type.Kind == BtfKind.FWD;
    }
}
