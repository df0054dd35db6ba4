using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification;

/// <summary>
/// Reads a file of helper declarations: C prototypes, with annotations where C does not say enough (docs/verification.md).
/// <code>
///   long lookup(const void *key __size(len), u32 len) = 1000;
///   static long (*lookup)(const void *key __size(len), __u32 len) = (void *) 1000;
/// </code>
/// Both forms mean the same; the second compiles as C if the annotations are defined as empty macros. What is no declaration of a function
/// is skipped, so that a header may serve.
/// </summary>
internal sealed class HelperDeclarationParser(string text, string fileName)
{
    private const int MaximumArguments = 5;

    private readonly List<CToken> _tokens = CTokens.Read(text);
    private readonly Dictionary<string, HelperPrototype> _byName = [];
    private readonly Dictionary<int, HostHelper> _numbered = [];

    /// <summary>What is wrong, and where.</summary>
    private (string Message, CToken At)? _error;

    /// <summary>Null after one error.</summary>
    public HelperDeclarations? Parse(DiagnosticBag diagnostics)
    {
        for (int at = 0; at < _tokens.Count && _error is null;)
        {
            int end = EndOfDeclaration(at);
            ParseDeclaration(_tokens.GetRange(at, end - at));
            at = end;
        }

        if (_error is not var (message, token))
            return new HelperDeclarations(_byName.ToImmutableDictionary(StringComparer.Ordinal), _numbered.ToImmutableDictionary());
        var position = new SourcePosition(fileName, token.Line, token.Column, text.Split('\n')[token.Line - 1].TrimEnd());
        diagnostics.Error(
            DiagnosticId.HelperDeclarationMalformed, message, new DiagnosticLocation(Source: position),
            "docs/verification.md describes the file, for example: long lookup(const void *key __size(len), u32 len) = 1000;");
        return null;
    }

    /// <summary>Behind the semicolon, or behind the body of a function.</summary>
    private int EndOfDeclaration(int at)
    {
        int depth = 0;
        bool hasParentheses = false;
        for (; at < _tokens.Count; at++)
        {
            string token = _tokens[at].Text;
            hasParentheses |= token == "(" && depth == 0;
            depth += token == "{" ? 1 : token == "}" ? -1 : 0;
            if (depth == 0 && (token == ";" || (token == "}" && hasParentheses)))
                return at + 1;
        }

        return at;
    }

    private void ParseDeclaration(List<CToken> tokens)
    {
        if (tokens.Exists(static token => token.Text == "{") || tokens[0].Text == "typedef" || !tokens.Exists(static token => token.Text == "("))
            return;
        if (tokens[^1].Text != ";")
        {
            Error("the declaration has no ';' at its end", tokens[^1]);
            return;
        }

        // The list of parameters is the first that follows the name: "name(" or "(*name)(".
        int name = tokens.FindIndex(static token => token.Text == "(") - 1;
        bool isPointer = name + 2 < tokens.Count && tokens[name + 2].Text == "*";
        if (isPointer)
            name = tokens.FindIndex(name + 2, static token => token.Text == ")") - 1;
        int open = name + (isPointer ? 2 : 1);
        if (name < 0 || !tokens[name].IsWord || open >= tokens.Count || tokens[open].Text != "(")
        {
            Error("this is no declaration of a function", tokens[0]);
            return;
        }

        int close = Closing(tokens, open);
        if (close < 0)
        {
            Error("the list of parameters has no ')'", tokens[open]);
            return;
        }

        int resultEnd = isPointer ? tokens.FindIndex(static token => token.Text == "(") : name;
        int assignment = tokens.FindIndex(close, static token => token.Text == "=");
        long? number = assignment < 0 ? null : tokens[^2].Number;
        if (assignment >= 0 && number is not (>= 0 and <= int.MaxValue))
        {
            Error("behind '=' stands the helper's number", tokens[assignment]);
            return;
        }

        if (number is { } id && BpfHelpers.Find((int)id) is { } linux && tokens[name].Text == "bpf_" + linux.Name)
            return;
        int annotationsEnd = assignment < 0 ? tokens.Count - 1 : assignment;
        AddHelper(
            tokens[name], (int?)number, tokens.GetRange(0, Math.Max(0, resultEnd)), SplitParameters(tokens.GetRange(open + 1, close - open - 1)),
            tokens.GetRange(close + 1, annotationsEnd - close - 1));
    }

    private static int Closing(List<CToken> tokens, int open)
    {
        int depth = 0;
        for (int at = open; at < tokens.Count; at++)
        {
            depth += tokens[at].Text == "(" ? 1 : tokens[at].Text == ")" ? -1 : 0;
            if (depth == 0)
                return at;
        }

        return -1;
    }

    private static List<List<CToken>> SplitParameters(List<CToken> tokens)
    {
        var parameters = new List<List<CToken>>();
        if (tokens.Count == 0 || tokens is [{ Text: "void" }])
            return parameters;
        int depth = 0;
        parameters.Add([]);
        foreach (CToken token in tokens)
        {
            depth += token.Text == "(" ? 1 : token.Text == ")" ? -1 : 0;
            if (token.Text == "," && depth == 0)
                parameters.Add([]);
            else
                parameters[^1].Add(token);
        }

        return parameters;
    }

    private void AddHelper(CToken name, int? number, List<CToken> result, List<List<CToken>> parameters, List<CToken> annotations)
    {
        CDeclaration[] declared = [.. parameters.Select(tokens => CDeclaration.Of(tokens, name))];
        CDeclaration returned = CDeclaration.OfResult(result, annotations, name);
        if (declared.Length > MaximumArguments)
            Error(string.Create(CultureInfo.InvariantCulture, $"{name.Text} has {declared.Length} parameters; {MaximumArguments} are possible"), name);
        var arguments = new ArgumentType[declared.Length];
        for (int i = 0; i < declared.Length && _error is null; i++)
            arguments[i] = Argument(declared, i, returned);
        ReturnType returns = Result(returned, declared);
        HelperFlags flags = HelperFlags.PACKET_ACCESS | (returned.Has("__changes_packet") ? HelperFlags.CHANGES_PACKET : HelperFlags.None);
        if (_error is null && !_byName.TryAdd(name.Text, new HelperPrototype(-1, name.Text, returns, [.. arguments], flags)))
            Error($"{name.Text} is declared twice", name);
        if (_error is null && number is { } id && !_numbered.TryAdd(id, new HostHelper(id, name.Text, arguments.Length)))
            Error(string.Create(CultureInfo.InvariantCulture, $"the number {id} is that of {_numbered[id].Name} already"), name);
    }

    private ArgumentType Argument(CDeclaration[] declared, int index, CDeclaration returned)
    {
        CDeclaration parameter = declared[index];
        if (CheckAnnotations(parameter, "__size", "__out", "__nullable", "__nonzero", "__ctx", "__map", "__key", "__value"))
            return ArgumentTypes.ANYTHING;
        if (!parameter.IsPointer)
        {
            bool isSize = index > 0 && declared[index - 1].SizeName == parameter.Name && parameter.Name is not null;
            if (isSize)
                return parameter.Has("__nonzero") ? ArgumentTypes.SIZE : ArgumentTypes.SIZE_OR_ZERO;
            return returned.SizeName is not null && returned.SizeName == parameter.Name ? ArgumentTypes.CONST_ALLOC_SIZE : ArgumentTypes.SCALAR;
        }

        ArgumentFlags flags = parameter.Has("__nullable") ? ArgumentFlags.OR_NULL : ArgumentFlags.None;
        if (parameter.Has("__ctx"))
            return new ArgumentType(ArgumentKind.CTX, flags);
        if (parameter.Has("__map"))
            return ArgumentTypes.CONST_MAP_PTR;
        flags |= parameter.Has("__out") ? ArgumentFlags.WRITE | ArgumentFlags.UNINIT
            : parameter.IsConst ? ArgumentFlags.READ
            : ArgumentFlags.READ | ArgumentFlags.WRITE;
        if (parameter.Has("__key") || parameter.Has("__value"))
        {
            if (!declared.Take(index).Any(static other => other.Has("__map")))
                Error("__key and __value need a parameter with __map before them", parameter.At);
            return parameter.Has("__key") ? ArgumentTypes.MAP_KEY : new ArgumentType(ArgumentKind.MAP_VALUE, flags);
        }

        if (parameter.SizeName is null)
            return new ArgumentType(ArgumentKind.FIXED_SIZE_MEM, flags, FixedSize(parameter));
        if (index + 1 == declared.Length || declared[index + 1].Name != parameter.SizeName || declared[index + 1].IsPointer)
            Error($"__size({parameter.SizeName}) must name the parameter that follows", parameter.At);
        return new ArgumentType(ArgumentKind.MEM, flags);
    }

    private ReturnType Result(CDeclaration result, CDeclaration[] declared)
    {
        if (_error is not null || CheckAnnotations(result, "__size", "__nonnull", "__value", "__changes_packet"))
            return ReturnTypes.INTEGER;
        if (!result.IsPointer)
            return result.IsVoid ? ReturnTypes.VOID : ReturnTypes.INTEGER;
        bool isNonNull = result.Has("__nonnull");
        if (result.Has("__value"))
        {
            if (!Array.Exists(declared, static parameter => parameter.Has("__map")))
                Error("a result with __value needs a parameter with __map", result.At);
            return isNonNull ? ReturnTypes.TO_MAP_VALUE : ReturnTypes.TO_MAP_VALUE_OR_NULL;
        }

        if (result.SizeName is null)
            return new ReturnType(isNonNull ? ReturnKind.FIXED_SIZE_MEM : ReturnKind.FIXED_SIZE_MEM_OR_NULL, null, FixedSize(result), result.IsConst);
        if (!Array.Exists(declared, parameter => parameter.Name == result.SizeName && !parameter.IsPointer))
            Error($"__size({result.SizeName}) names no parameter", result.At);
        return new ReturnType(isNonNull ? ReturnKind.ALLOC_MEM : ReturnKind.ALLOC_MEM_OR_NULL, null, 0, result.IsConst);
    }

    private int FixedSize(CDeclaration pointer)
    {
        if ((pointer.Size ?? pointer.PointeeSize) is > 0 and var size)
            return size;
        Error("how many bytes does the pointer point to? Add __size(number) or __size(parameter)", pointer.At);
        return 0;
    }

    /// <summary>True after an error.</summary>
    private bool CheckAnnotations(CDeclaration declaration, params ReadOnlySpan<string> known)
    {
        foreach (string annotation in declaration.Annotations)
        {
            if (!known.Contains(annotation))
                Error($"{annotation} has no meaning here", declaration.At);
        }

        return _error is not null;
    }

    private void Error(string message, CToken at) => _error ??= (message, at);
}
