namespace BpfPpcc.Verification;

/// <summary>The type of a parameter or result as C declares it, with its name and annotations.</summary>
internal sealed class CDeclaration
{
    private static readonly HashSet<string> Qualifiers =
        ["const", "volatile", "restrict", "static", "extern", "inline", "struct", "union", "enum", "__ksym", "__weak", "__always_inline"];

    /// <summary>Words that stand for an annotation and not for a type.</summary>
    private static readonly HashSet<string> KnownAnnotations =
        ["__size", "__out", "__nullable", "__nonnull", "__nonzero", "__ctx", "__map", "__key", "__value", "__changes_packet"];

    private static readonly HashSet<string> OneByte = ["char", "bool", "_Bool", "u8", "s8", "__u8", "__s8", "uint8_t", "int8_t"];

    private static readonly HashSet<string> TwoBytes =
        ["short", "u16", "s16", "__u16", "__s16", "__be16", "__le16", "uint16_t", "int16_t"];

    private static readonly HashSet<string> FourBytes =
        ["int", "signed", "unsigned", "u32", "s32", "__u32", "__s32", "__be32", "__le32", "uint32_t", "int32_t"];

    private static readonly HashSet<string> EightBytes =
        ["long", "u64", "s64", "__u64", "__s64", "__be64", "__le64", "uint64_t", "int64_t", "size_t"];

    private readonly List<string> _words = [];
    private readonly List<string> _annotations = [];
    private int _stars;

    private CDeclaration(CToken at) => At = at;

    /// <summary>Where it stands.</summary>
    public CToken At { get; }

    public string? Name { get; private set; }

    public bool IsPointer => _stars > 0;

    /// <summary>What it points to must not be written.</summary>
    public bool IsConst { get; private set; }

    public bool IsVoid => _words is ["void"];

    public IReadOnlyList<string> Annotations => _annotations;

    /// <summary>The number in __size(number).</summary>
    public int? Size { get; private set; }

    /// <summary>The name in __size(name).</summary>
    public string? SizeName { get; private set; }

    /// <summary>Bytes of what it points to, if the type's name says so.</summary>
    public int? PointeeSize => _stars > 1 ? 8 : _words.Contains("long") ? 8 : _words.Contains("short") ? 2
        : _words.Count > 0 ? SizeOf(_words[^1]) : null;

    public bool Has(string annotation) => _annotations.Contains(annotation);

    /// <param name="function">Stands for the place if there are no tokens.</param>
    public static CDeclaration Of(List<CToken> tokens, CToken function)
    {
        var declaration = new CDeclaration(tokens.Count > 0 ? tokens[0] : function);
        declaration.Read(tokens);
        declaration.FindName(tokens);
        return declaration;
    }

    /// <param name="annotations">What stands behind the list of parameters.</param>
    public static CDeclaration OfResult(List<CToken> tokens, List<CToken> annotations, CToken function)
    {
        var declaration = new CDeclaration(tokens.Count > 0 ? tokens[0] : function);
        declaration.Read(tokens);
        declaration.Read(annotations);
        return declaration;
    }

    public void Read(List<CToken> tokens)
    {
        for (int at = 0; at < tokens.Count; at++)
        {
            CToken token = tokens[at];
            if (token.Text == "*")
                _stars++;
            else if (token.Text == "const" && _stars == 0)
                IsConst = true;
            else if (KnownAnnotations.Contains(token.Text))
                at = ReadAnnotation(tokens, at);
            else if (token.IsWord && !Qualifiers.Contains(token.Text))
                _words.Add(token.Text);
        }
    }

    /// <summary>Index of the annotation's last token.</summary>
    private int ReadAnnotation(List<CToken> tokens, int at)
    {
        _annotations.Add(tokens[at].Text);
        if (at + 3 >= tokens.Count || tokens[at + 1].Text != "(" || tokens[at + 3].Text != ")")
            return at;
        CToken argument = tokens[at + 2];
        Size = argument.Number is > 0 and <= int.MaxValue and var number ? (int)number : null;
        SizeName = argument.IsWord ? argument.Text : null;
        return at + 3;
    }

    /// <summary>The last word is the name, unless it is all there is of the type.</summary>
    private void FindName(List<CToken> tokens)
    {
        int star = tokens.FindLastIndex(static token => token.Text == "*");
        bool isNamed = _words.Count > 0 && SizeOf(_words[^1]) is null && _words[^1] is not "void";
        if (!isNamed || (_words.Count == 1 && star < 0))
            return;
        if (star >= 0 && tokens.FindLastIndex(token => token.Text == _words[^1]) < star)
            return;
        Name = _words[^1];
        _words.RemoveAt(_words.Count - 1);
    }

    /// <summary>Bytes of a type that has the same size everywhere in BPF, by its last word; null for others.</summary>
    private static int? SizeOf(string word) =>
        OneByte.Contains(word) ? 1 : TwoBytes.Contains(word) ? 2 : FourBytes.Contains(word) ? 4 : EightBytes.Contains(word) ? 8 : null;
}
