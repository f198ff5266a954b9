from forewarn.app.cli import app

app()
