from forewarn.app.cli import app

app(prog_name="forewarn")
